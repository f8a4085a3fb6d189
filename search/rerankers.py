"""The rerankers that a program may use, by name."""

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


class _Given(RerankerConfig):
    """What stands for the configuration of a reranker that a program made by itself."""

    kind: str
    name: RerankerName
    reranker: Any = Field(exclude=True)

    def make(self) -> Reranker:
        reranker: Reranker = self.reranker
        return reranker


class RerankerRegistry:
    """Rerankers by name, each loaded when it is first asked for. Thread-safe.

    configs: configurations, or rerankers that the program made by itself; these judge as many hits
             as is usual where a request does not say how many.
    load:    how a reranker is got from its configuration.
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
                made[name] = _Given(name=name, kind=one.kind, reranker=one)
        self._configs = Rerankers(rerankers=named).rerankers | made
        self._load = load
        self._loaded: dict[str, Reranker] = {}
        self._locks = {name: threading.Lock() for name in self._configs}

    @classmethod
    def read(cls, path: Path, *, load: RerankerLoader = load_reranker) -> Self:
        """Those of a TOML file with `[rerankers.NAME]` tables. Raises SourceError, which names the
        file and the field."""
        return cls(parse_toml(path, Rerankers.parse).rerankers, load=load)

    @property
    def configs(self) -> Mapping[str, RerankerConfig]:
        return self._configs

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._configs)

    def config(self, name: str) -> RerankerConfig:
        """Raises InvalidInputError, which lists the names there are."""
        found = self._configs.get(name)
        if found is None:
            known = ", ".join(self._configs)
            raise InvalidInputError(
                f"there is no reranker {name!r}; "
                + (f"there are {known}" if known else "none is configured"),
                field=FIELD,
            )
        return found

    def get(self, name: str) -> Reranker:
        """Raises InvalidInputError for an unknown name, and what `load_reranker` raises; then the
        next who asks tries again."""
        config = self.config(name)
        found = self._loaded.get(name)
        if found is None:
            with self._locks[name]:
                found = self._loaded.get(name)
                if found is None:
                    found = self._loaded[name] = self._load(config)
        return found
