"""Rerankers that compare representations of query and passage.

The passages are encoded at query time, or their representations are stored in the collection.
"""
