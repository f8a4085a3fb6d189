"""The registry of the rerankers that search requests can select by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from ..core import parse_toml
from ..rerank import Reranker, RerankerConfig, RerankerLoader, Rerankers, load_reranker
from ..rerank.config import RerankerName
from .registry import PartRegistry

FIELD = "rerank.model"


class _RerankerObject(RerankerConfig):
    """The configuration entry for a reranker object that the calling program created."""

    kind: str
    name: RerankerName
    reranker: Any = Field(exclude=True)

    def make(self) -> Reranker:
        reranker: Reranker = self.reranker
        return reranker


class RerankerRegistry(PartRegistry[RerankerConfig, Reranker]):
    """The rerankers that search requests can select by name. Thread-safe.

    Each reranker is loaded at its first use.

    configs: name -> a configuration, or a reranker object of your own. A reranker object judges
             100 hits unless the request sets `top_n`.
    load:    function that loads a reranker from its configuration.
    """

    noun = "reranker"
    field = FIELD

    def __init__(
        self,
        configs: Mapping[str, RerankerConfig | Reranker] | None = None,
        *,
        load: RerankerLoader = load_reranker,
    ) -> None:
        configs = configs or {}
        named, made = {}, {}
        for name, one in configs.items():
            if isinstance(one, RerankerConfig):
                named[name] = one
            else:
                made[name] = _RerankerObject(name=name, kind=one.kind, reranker=one)
        super().__init__(Rerankers(rerankers=named).rerankers | made, load)

    @classmethod
    def read(cls, path: Path, *, load: RerankerLoader = load_reranker) -> Self:
        """Return a registry of the rerankers in a TOML file, one table `[rerankers.NAME]` for each.

        Raises SourceError for an invalid file; the error names the file and the field.
        """
        return cls(parse_toml(path, Rerankers.parse).rerankers, load=load)
