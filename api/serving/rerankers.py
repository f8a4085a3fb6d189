"""The rerankers of a server: loaded when it starts, and none while a request waits."""

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
"""unavailable: its model is not here."""

_TEXTS = [Candidate("1", "A text."), Candidate("2", "Another text.")]


class ServedRerankers(RerankerRegistry):
    """Rerankers that requests may name once `load` has loaded them."""

    def __init__(self, configs: Mapping[str, RerankerConfig], device: Device | None) -> None:
        super().__init__(configs, load=partial(load_reranker, device=device))
        self._ready: set[str] = set()
        self._problems: dict[str, TwindexError] = {}

    @classmethod
    def of(cls, path: Path | None, device: Device | None) -> ServedRerankers:
        """Those of a TOML file; none without one. Raises SourceError, which names file and
        field."""
        return cls({} if path is None else RerankerRegistry.read(path).configs, device)

    def load(self, stopping: Callable[[], bool]) -> None:
        """Load each and use it once. What is wrong with one is kept, and harms no other."""
        for name in self.names:
            if stopping():
                return
            try:
                self._use(name, super().get(name))
                self._ready.add(name)
            except TwindexError as error:
                # Who asks is not to blame for how it is configured.
                wrong = isinstance(error, InvalidInputError)
                self._problems[name] = ModelError(f"reranker {name!r}: {error}") if wrong else error
                logger.error("reranker %s is not served: %s", name, error)
            except Exception as error:
                self._problems[name] = ModelError(f"{type(error).__name__} while loading {name}")
                logger.exception("reranker %s is not served", name)

    def get(self, name: str) -> Reranker:
        """Raises Problem 503 while it is being loaded, and the error that loading it met."""
        if name in self._problems:
            # Raised anew each time, or it would hold on to the frames of every request.
            raise self._problems[name].with_traceback(None)
        if name not in self._ready:
            self.config(name)  # An unknown name is no matter of time.
            raise Problem(503, f"reranker {name!r} is loading", headers={"Retry-After": "1"})
        return super().get(name)

    def status(self, name: str) -> Status:
        if name in self._problems:
            return "unavailable"
        return "ready" if name in self._ready else "loading"

    def _use(self, name: str, reranker: Reranker) -> None:
        """What a model does only the first time should not count against a request's time."""
        if reranker.needs.legs or reranker.needs.vectors:
            return
        found = rerank_one(reranker, "text", _TEXTS)
        if found.status == "failed":  # Its server may be back later.
            logger.warning("reranker %s fails at present: %s", name, found.error)
