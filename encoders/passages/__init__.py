"""Cutting long documents into passages."""
