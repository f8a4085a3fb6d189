"""The registry of the rerankers that search requests can select by name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from ..core import InvalidInputError, parse_toml
from ..rerank import Reranker, RerankerConfig, RerankerLoader, Rerankers, load_reranker
from ..rerank.config import RerankerName

FIELD = "rerank.model"


class _RerankerObject(RerankerConfig):
    """The configuration entry for a reranker object that the calling program created."""

    kind: str
    name: RerankerName
    reranker: Any = Field(exclude=True)

    def make(self) -> Reranker:
        reranker: Reranker = self.reranker
        return reranker


class RerankerRegistry:
    """The rerankers that search requests can select by name. Thread-safe.

    Each reranker is loaded at its first use.

    configs: name -> a configuration, or a reranker object of your own. A reranker object judges
             100 hits unless the request sets `top_n`.
    load:    function that loads a reranker from its configuration.
    """

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
        self._configs = Rerankers(rerankers=named).rerankers | made
        self._load = load
        self._loaded: dict[str, Reranker] = {}
        self._locks = {name: threading.Lock() for name in self._configs}

    @classmethod
    def read(cls, path: Path, *, load: RerankerLoader = load_reranker) -> Self:
        """Return a registry of the rerankers in a TOML file, one table `[rerankers.NAME]` for each.

        Raises SourceError for an invalid file; the error names the file and the field.
        """
        return cls(parse_toml(path, Rerankers.parse).rerankers, load=load)

    @property
    def configs(self) -> Mapping[str, RerankerConfig]:
        return self._configs

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._configs)

    def config(self, name: str) -> RerankerConfig:
        """Return the configuration of a reranker.

        Raises InvalidInputError for an unknown name; the error lists the configured names.
        """
        found = self._configs.get(name)
        if found is None:
            known = ", ".join(self._configs)
            raise InvalidInputError(
                f"there is no reranker {name!r}; "
                + (
                    f"the configured rerankers are {known}"
                    if known
                    else "no reranker is configured"
                ),
                field=FIELD,
            )
        return found

    def get(self, name: str) -> Reranker:
        """Return a reranker; load it at the first call.

        Raises InvalidInputError for an unknown name, and the errors of `load_reranker`. If loading
        fails, the next call tries again.
        """
        config = self.config(name)
        found = self._loaded.get(name)
        if found is None:
            with self._locks[name]:
                found = self._loaded.get(name)
                if found is None:
                    found = self._loaded[name] = self._load(config)
        return found
