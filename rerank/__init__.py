"""Hits in a better order: rerankers behind one protocol, under a budget."""

from ..ask import Status
from .chain import Chain
from .config import Budget, RerankerConfig
from .loading import load_reranker, on_device
from .protocol import (
    Candidate,
    Needs,
    Placed,
    Reranked,
    Reranker,
    RerankerLoader,
    Task,
    failed,
    rerank_one,
)

__all__ = [
    "Budget",
    "Candidate",
    "Chain",
    "Needs",
    "Placed",
    "Reranked",
    "Reranker",
    "RerankerConfig",
    "RerankerLoader",
    "Status",
    "Task",
    "failed",
    "load_reranker",
    "on_device",
    "rerank_one",
]
