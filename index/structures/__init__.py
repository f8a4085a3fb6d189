"""Kinds of vector index. An index finds candidate vectors in one segment."""
