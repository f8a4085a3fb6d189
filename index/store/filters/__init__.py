"""Reads metadata: the documents that meet a condition, and the values of a field in documents."""
