"""REBEL: a language model scores hits by relevance and by further criteria."""

from .reranker import CriteriaReranker

__all__ = ["CriteriaReranker"]
