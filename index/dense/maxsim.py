"""Exact MaxSim of dense vectors.

The score of a passage is the sum, over the query's vectors, of the greatest inner product with a
vector of the passage. Matrix products of blocks of passages and groups of queries compute it.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays.offsets import Offsets, block_end, of_lengths, ranges
from ..arrays.vectors import Vectors
from ..protocol import Mask, Ranking
from ..structures.exact import TopK, check_width, is_selective

BLOCK_ROWS = 1_024
"""Number of vectors per block. Decoded blocks stay in the cache; 8,192 vectors took 1.5 times as
long."""
QUERY_GROUP = 32
"""Maximum number of queries that are multiplied with a block together."""


class Rows(Protocol):
    """Access to stored vectors by row number."""

    @property
    def width(self) -> int:
        """Number of dimensions of a vector."""

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """Start reading from disk the rows that `vectors` will return next.

        For each i, these are the rows starts[i] to stops[i] (exclusive).
        """

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Return the vectors with these row numbers, float32 [n, width]."""


class Matrix:
    """Implements `Rows` for an uncompressed matrix, float16 or float32 [n, width]."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array = array
        self.width = int(array.shape[1])
        """See Rows."""

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """See Rows. Does nothing, because the operating system reads ahead."""

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Return the vectors with these row numbers, float32 [n, width]. See `Rows.vectors`."""
        return np.require(self._array[rows], np.float32, "A")


def search(
    queries: Vectors,
    bounds: Offsets,
    rows: Rows,
    offsets: Offsets,
    k: int,
    allowed: Mask | None,
) -> Ranking:
    """Return the best k passages for each query. Ties are ordered by passage number, ascending.

    queries: vectors of all queries, float32 [n, d].
    bounds: query i has the vectors bounds[i] to bounds[i + 1] (exclusive).
    rows: the vectors of all passages.
    offsets: passage p has the rows offsets[p] to offsets[p + 1] (exclusive).
    allowed: mask of the passages that may be returned; None: all.

    Raises InvalidInputError if d is not the width of `rows`.
    """
    check_width(queries, rows.width)
    count = len(bounds) - 1
    found = Ranking.empty(count, k)
    passages = chosen = None
    if allowed is not None and is_selective(allowed):
        passages, allowed = np.flatnonzero(allowed), None
        starts, stops = offsets[passages], offsets[passages + 1]
        rows.expect(starts, stops)
        chosen, offsets = ranges(starts, stops), of_lengths(stops - starts)
    for start in range(0, count, QUERY_GROUP):
        own = bounds[start : start + QUERY_GROUP + 1]
        group = queries[own[0] : own[-1]]
        best = [TopK(k) for _ in own[1:]]
        first = 0
        while first < len(offsets) - 1:
            last = block_end(offsets, first, BLOCK_ROWS)
            here = slice(int(offsets[first]), int(offsets[last]))
            block = rows.vectors(here if chosen is None else chosen[here])
            # [rows, query vectors] -> [passages, query vectors] -> [queries, passages]. BLAS takes
            # two thirds of the time with rows first, because there are few query vectors.
            products = block @ group.T
            maxima = np.maximum.reduceat(products, offsets[first:last] - offsets[first], axis=0)
            scores = np.add.reduceat(maxima.T, own[:-1] - own[0], axis=0)
            for one, its in zip(best, scores, strict=True):
                one.offer(its, first, None if allowed is None else allowed[first:last])
            first = last
        for index, one in enumerate(best, start):
            one.fill(found, index, passages)
    return found
