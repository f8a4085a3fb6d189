"""Rerankers that score by representations: stored in a collection, or encoded when asked."""
