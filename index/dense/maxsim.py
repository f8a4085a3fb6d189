"""Exact MaxSim of dense vectors: blocks of whole passages, multiplied by groups of queries."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.offsets import Offsets, fitting, of_lengths, ranges
from ..arrays.vectors import Vectors
from ..protocol import Mask, Ranking
from ..structures.exact import Best, check_width, few

BLOCK_ROWS = 1_024
"""Vectors that are multiplied at once: decoded, they stay in the cache; 8,192 took half as long
again."""
QUERY_GROUP = 32
"""Queries that are multiplied at once; each has several vectors."""


class Rows(Protocol):
    """Vectors by their numbers, however they are stored."""

    @property
    def width(self) -> int:
        """Dimensions of a vector."""

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """The vectors starts[i] to stops[i] (exclusive) will be looked at next."""

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Some of them, float32 [n, width]."""


class Matrix:
    """Vectors as they are: float16 or float32 [n, width]."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.width = int(array.shape[1])
        """See Rows."""

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """See Rows: the system reads ahead."""

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """See Rows."""
        return np.require(self._array[rows], np.float32, "A")


def search(
    queries: Vectors,
    bounds: Offsets,
    rows: Rows,
    offsets: Offsets,
    k: int,
    allowed: Mask | None,
) -> Ranking:
    """The best k passages for each query; see `MaxSim.max_sim`. Ties by passage, ascending.

    queries: float32 [rows, d]. Raises InvalidInputError if d is not that of the vectors.
    """
    check_width(queries, rows.width)
    asked = len(bounds) - 1
    found = Ranking.empty(asked, k)
    passages = chosen = None
    if allowed is not None and few(allowed):
        passages, allowed = np.flatnonzero(allowed), None
        starts, stops = offsets[passages], offsets[passages + 1]
        rows.expect(starts, stops)
        chosen, offsets = ranges(starts, stops), of_lengths(stops - starts)
    for start in range(0, asked, QUERY_GROUP):
        own = bounds[start : start + QUERY_GROUP + 1]
        group = queries[own[0] : own[-1]]
        best = [Best(k) for _ in own[1:]]
        first = 0
        while first < len(offsets) - 1:
            last = fitting(offsets, first, BLOCK_ROWS)
            here = slice(int(offsets[first]), int(offsets[last]))
            block = rows.vectors(here if chosen is None else chosen[here])
            # [rows, query vectors] -> [passages, query vectors] -> [queries, passages]. With the
            # rows first BLAS takes two thirds of the time, as query vectors are few.
            products = block @ group.T
            maxima = np.maximum.reduceat(products, offsets[first:last] - offsets[first], axis=0)
            scores = np.add.reduceat(maxima.T, own[:-1] - own[0], axis=0)
            for one, its in zip(best, scores, strict=True):
                one.offer(its, first, None if allowed is None else allowed[first:last])
            first = last
        for index, one in enumerate(best, start):
            one.fill(found, index, passages)
    return found
