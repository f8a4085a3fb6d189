"""The rerankers of a server. They load when the server starts, and never during a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from ...core import InvalidInputError, ModelError, TwindexError
from ...core.config import Device
from ...rerank import Candidate, Reranker, RerankerConfig, load_reranker, rerank_one
from ...search import RerankerRegistry
from .problems import Problem

logger = logging.getLogger(__name__)

Status = Literal["loading", "ready", "unavailable"]
"""State of a reranker. unavailable: its model could not be loaded."""

_TEXTS = [Candidate("1", "A text."), Candidate("2", "Another text.")]


class ServedRerankers(RerankerRegistry):
    """The rerankers that requests may use. `load` loads them before their first use."""

    def __init__(self, configs: Mapping[str, RerankerConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_reranker, device=device))
        self._ready: set[str] = set()
        self._problems: dict[str, TwindexError] = {}

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedRerankers:
        """Return a registry with the rerankers of a TOML file; empty if `path` is None.

        Raises SourceError, with file and field, for an invalid file.
        """
        return cls({} if path is None else RerankerRegistry.read(path).configs, device)

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load every reranker and run it once. If one fails, stores its error and loads the others.

        stopping: function that returns True once the server stops. Then no further reranker loads.
        """
        for name in self.names:
            if stopping():
                return
            try:
                self._warm_up(name, super().get(name))
                self._ready.add(name)
            except TwindexError as error:
                # A wrong configuration is not an error of the request.
                wrong = isinstance(error, InvalidInputError)
                self._problems[name] = ModelError(f"reranker {name!r}: {error}") if wrong else error
                logger.error("reranker %s is not served: %s", name, error)
            except Exception as error:
                self._problems[name] = ModelError(
                    f"loading reranker {name!r} failed with {type(error).__name__}; see the log"
                )
                logger.exception("reranker %s is not served", name)

    def get(self, name: str) -> Reranker:
        """Return the reranker with this name.

        Raises Problem 503 while the reranker loads. If it could not be loaded, raises the error of
        loading.
        """
        if name in self._problems:
            # Without a fresh traceback, the error would keep the frames of every request.
            raise self._problems[name].with_traceback(None)
        if name not in self._ready:
            self.config(name)  # Raises for an unknown name.
            raise Problem(
                503, f"reranker {name!r} is loading; try again", headers={"Retry-After": "1"}
            )
        return super().get(name)

    def status(self, name: str) -> Status:
        """Return whether a reranker is loading, ready or unavailable."""
        if name in self._problems:
            return "unavailable"
        return "ready" if name in self._ready else "loading"

    def _warm_up(self, name: str, reranker: Reranker) -> None:
        """Rerank two texts, so that the first request does not pay for the warm-up of the model."""
        if reranker.needs.legs or reranker.needs.vectors:
            return
        found = rerank_one(reranker, "text", _TEXTS)
        if found.status == "failed":  # The server of its model may work later.
            logger.warning("reranker %s currently fails: %s", name, found.error)
