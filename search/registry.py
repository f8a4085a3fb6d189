"""Parts that a request can name, such as rerankers and generators."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import ClassVar, Generic, TypeVar

from ..core import InvalidInputError
from ..core.near import did_you_mean

C = TypeVar("C")
P = TypeVar("P")


class PartRegistry(Generic[C, P]):
    """Parts by name. Each is loaded from its configuration at its first use. Thread-safe.

    noun:  word for a part in error messages, such as "reranker".
    field: field of a request that names a part, such as `rewrite.model`.
    """

    noun: ClassVar[str]
    field: ClassVar[str]

    def __init__(self, configs: Mapping[str, C], load: Callable[[C], P]) -> None:
        """Create a registry. load: function that loads a part from its configuration."""
        self._configs = configs
        self._load = load
        self._loaded: dict[str, P] = {}
        self._locks = {name: threading.Lock() for name in configs}

    @property
    def configs(self) -> Mapping[str, C]:
        """Name -> configuration."""
        return self._configs

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._configs)

    def config(self, name: str) -> C:
        """Return the configuration of the part with a name.

        Raises InvalidInputError if there is none; the error lists the configured names.
        """
        found = self._configs.get(name)
        if found is None:
            known = ", ".join(self._configs)
            raise InvalidInputError(
                f"there is no {self.noun} {name!r}; "
                + (
                    f"the configured {self.noun}s are {known}{did_you_mean(name, self._configs)}"
                    if known
                    else f"no {self.noun} is configured"
                ),
                field=self.field,
            )
        return found

    def get(self, name: str) -> P:
        """Return the part with a name; load it at the first call.

        Raises InvalidInputError for an unknown name, and the errors of loading. If loading fails,
        the next call tries again.
        """
        config = self.config(name)
        found = self._loaded.get(name)
        if found is None:
            with self._locks[name]:
                found = self._loaded.get(name)
                if found is None:
                    found = self._loaded[name] = self._load(config)
        return found
