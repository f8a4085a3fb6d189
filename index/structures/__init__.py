"""Kinds of vector index: which vectors of a segment a search looks at."""
