"""The registry of the rerankers that search requests can select by name."""

from __future__ import annotations

from ...rerank import Reranker, RerankerConfig, Rerankers
from ..registry import MadePart, PartRegistry

FIELD = "rerank.model"


class _RerankerObject(MadePart, RerankerConfig):
    """The configuration entry for a reranker object that the calling program created."""


class RerankerRegistry(PartRegistry[RerankerConfig, Reranker]):
    """The rerankers that search requests can select by name. Thread-safe.

    Each reranker is loaded at its first use.

    configs: name -> a configuration, or a reranker object of your own. A reranker object judges
             100 hits unless the request sets `top_n`.
    load:    function that loads a reranker from its configuration.
    """

    noun = "reranker"
    field = FIELD
    method = "rerank"
    file = Rerankers
    stand_in = _RerankerObject
