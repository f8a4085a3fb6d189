"""Inverted lists around centres, configured."""
