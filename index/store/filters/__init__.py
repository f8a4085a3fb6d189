"""Evaluates filter conditions on the documents of a collection."""
