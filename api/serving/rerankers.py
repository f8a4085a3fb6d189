"""The rerankers of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

from ...rerank import Candidate, Reranker, RerankerConfig, rerank_one
from ...search import RerankerRegistry
from .preloaded import PreloadedParts

_TEXTS = [Candidate("1", "A text."), Candidate("2", "Another text.")]


class ServedRerankers(PreloadedParts[RerankerConfig, Reranker], RerankerRegistry):
    """The rerankers that requests may use. `load` loads them before their first use."""

    def warm_up(self, part: Reranker) -> None:
        """Rerank two texts. See `PreloadedParts.warm_up`."""
        if part.needs.legs or part.needs.vectors:
            return
        if (error := rerank_one(part, "text", _TEXTS).error) is not None:
            raise error
