"""Evaluates filter conditions: finds the documents of a collection that meet a condition."""
