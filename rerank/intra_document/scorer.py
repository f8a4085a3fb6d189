"""Protocols of cheap scorers, which pick the windows that a costly reranker reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import Passage


class Prepared(Protocol):
    """Data of a document that a cheap scorer computes in advance, without the query."""

    @property
    def nbytes(self) -> int:
        """Return the size of the data in bytes, for the limit of the cache."""


F = TypeVar("F", bound=Prepared)


class WindowScorer(Protocol[F]):
    """A cheap scorer of all windows of a document. Thread-safe."""

    def prepare(self, text: str, windows: Sequence[Passage]) -> F:
        """Compute what scoring needs from a document, before the query is known.

        text:    text of the document.
        windows: the windows, as spans of characters in `text`.
        """

    def scores(
        self, query: str, documents: Sequence[F], deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """Return the scores of each document's windows: float32 [windows]. Higher is better.

        documents: results of `prepare`, one for each document.
        deadline:  time in `perf_counter()` seconds; None: no time limit. After the deadline, no
                   further document is scored, and the result is shorter than `documents`.
        """
