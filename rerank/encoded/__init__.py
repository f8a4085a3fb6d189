"""Rerankers that compare representations, stored in a collection or encoded at query time."""
