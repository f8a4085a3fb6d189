"""The rerankers of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...core.config import Device
from ...rerank import Candidate, Reranker, RerankerConfig, load_reranker, rerank_one
from ...search import RerankerRegistry
from .preloaded import PreloadedParts

_TEXTS = [Candidate("1", "A text."), Candidate("2", "Another text.")]


class ServedRerankers(PreloadedParts[RerankerConfig, Reranker], RerankerRegistry):
    """The rerankers that requests may use. `load` loads them before their first use."""

    def __init__(self, configs: Mapping[str, RerankerConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_reranker, device=device))

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedRerankers:
        """Return a registry with the rerankers of a TOML file; empty if `path` is None.

        Raises SourceError, with file and field, for an invalid file.
        """
        return cls({} if path is None else RerankerRegistry.read(path).configs, device)

    def warm_up(self, part: Reranker) -> Exception | None:
        """Rerank two texts. See `PreloadedParts.warm_up`."""
        if part.needs.legs or part.needs.vectors:
            return None
        found = rerank_one(part, "text", _TEXTS)
        return found.error if found.status == "failed" else None
