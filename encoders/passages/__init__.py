"""Splitting long documents into passages."""
