"""Vector sources that record reads, and a progress that counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from twindex.core import NoProgress


class Source:
    """A VectorSource over an array. reads: the ranges read, in order. before: called for each."""

    def __init__(
        self,
        vectors: NDArray[np.float32],
        before: Callable[[tuple[int, int]], None] = lambda piece: None,
    ) -> None:
        self.vectors = vectors
        self.width = vectors.shape[1]
        self.reads: list[tuple[int, int]] = []
        self._before = before

    def __len__(self) -> int:
        return len(self.vectors)

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        self._before((start, stop))
        self.reads.append((start, stop))
        return self.vectors[start:stop].copy()

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.vectors[rows]


class InOrder(Source):
    """A source that allows only sequential reads."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        raise AssertionError("vectors are read in order")


class Counter(NoProgress):
    """A progress that counts. done: number of vectors."""

    done = 0

    def advance(self, n: int = 1) -> None:
        self.done += n
