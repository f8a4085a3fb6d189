"""Searches over several collections."""
