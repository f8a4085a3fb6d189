"""Encoders of legs whose vectors come from outside: they encode no text."""
