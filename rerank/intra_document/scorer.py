"""What picks the windows of a document that are worth a costly look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import Passage


class Prepared(Protocol):
    """What a scorer keeps of a document: all that does not depend on the query."""

    @property
    def nbytes(self) -> int: ...


F = TypeVar("F", bound=Prepared)


class WindowScorer(Protocol[F]):
    """Scores every window of a document, cheaply. Thread-safe."""

    def prepare(self, text: str, windows: Sequence[Passage]) -> F:
        """The part of the work that is done once for each document."""

    def scores(
        self, query: str, documents: Sequence[F], deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        """For each document a score of each of its windows, [windows]; higher is better.

        deadline: in `perf_counter()`; once it is over no further document is scored, and the list
        ends early.
        """
