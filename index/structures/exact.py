"""Exact search: the inner product of every query with every allowed vector.

Rows are taken in blocks, so that the products of a block are still in the cache when the best of
them are picked, and queries in groups, so that a block is multiplied by many of them at once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, Representation, StorageError
from ..arrays.vectors import Stored, Vectors
from ..codecs.gather import dot_rows
from ..protocol import Mask, Ranking, check_single

BLOCK_ROWS = 8192
QUERY_GROUP = 256
FEW_QUERIES = 4
GATHER_SHARE = 4
"""When at most 1/4 of the rows are allowed, there are `few`."""
LARGEST = 1e8
"""Of the numbers in a stored vector: some indexes compute with the fourth power of its length."""

Chosen = slice | NDArray[np.int64]
"""Numbers of rows."""
Score = Callable[[Vectors, Chosen], Vectors]
"""(queries float32 [n, d], some rows) -> their inner products, [n, rows]."""


def dense(representation: Representation) -> Vectors:
    """The dense vectors of a batch, as contiguous rows."""
    if representation.dense is None:
        raise InvalidInputError("a dense leg needs dense vectors", field="dense")
    check_single(representation)
    return np.ascontiguousarray(representation.dense, dtype=np.float32)


def storable(representation: Representation) -> Vectors:
    """The dense vectors of passages. Raises InvalidInputError for numbers that are not finite or so
    large that inner products overflow: no index bears them, and FAISS ends the process for some."""
    vectors = dense(representation)
    wrong = ~(np.abs(vectors).max(axis=1, initial=0) <= LARGEST)  # Also where one is not a number.
    if wrong.any():
        raise InvalidInputError(
            f"vector {int(wrong.argmax())} of {len(vectors)} has a number that is not finite or "
            f"beyond {LARGEST:g}: look at the encoder",
            field="dense",
        )
    return vectors


def search(queries: Vectors, vectors: Stored, k: int, allowed: Mask | None) -> Ranking:
    """The best k of the rows of `vectors` for each query; ties by row, ascending.

    queries: float32 [n, d]; vectors: float16 or float32 [rows, d]. Raises InvalidInputError if d
    differs.
    """
    check_width(queries, vectors.shape[1])
    return scan(
        queries, len(vectors), k, allowed, lambda group, rows: _products(group, vectors, rows)
    )


def scan(
    queries: Vectors,
    total: int,
    k: int,
    allowed: Mask | None,
    score: Score,
    *,
    gather: bool = True,
    group: int = QUERY_GROUP,
) -> Ranking:
    """The best k of `total` rows for each query; ties by row, ascending.

    gather: `score` may be asked for rows in no sequence, where few are allowed. group: queries that
    share a block; more where a block takes long to read.
    """
    found = Ranking.empty(len(queries), k)
    chosen = None
    if gather and allowed is not None and few(allowed):
        chosen, allowed = np.flatnonzero(allowed), None
        total = len(chosen)
    for start in range(0, len(queries), group):
        together = queries[start : start + group]
        best = [Best(k) for _ in together]
        for first in range(0, total, BLOCK_ROWS):
            piece = slice(first, min(first + BLOCK_ROWS, total))
            mask = None if allowed is None else allowed[piece]
            if mask is None or mask.any():
                products = score(together, piece if chosen is None else chosen[piece])
                for scores, one in zip(products, best, strict=True):
                    one.offer(scores, first, mask)
        for index, one in enumerate(best, start):
            one.fill(found, index, chosen)
    return found


def few(allowed: Mask) -> bool:
    """So few rows are allowed that these are copied out instead of masking all."""
    return bool(np.count_nonzero(allowed) * GATHER_SHARE <= len(allowed))


def _products(queries: Vectors, vectors: Stored, rows: Chosen) -> Vectors:
    """Inner products of all queries with some rows, [n, rows]."""
    half = vectors.dtype == np.float16
    if len(queries) <= FEW_QUERIES and (half or not isinstance(rows, slice)):
        # So few are multiplied sooner than rows are copied or made float32.
        places = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return np.vstack([dot_rows(query[None], vectors, places[None]) for query in queries])
    # Vectors that FAISS has mapped are not aligned, for which numpy has no fast product.
    block = np.require(vectors[rows], np.float32, "A")
    products: Vectors = queries @ block.T
    return products


def check_width(queries: Vectors, width: int) -> None:
    """Raise InvalidInputError unless the queries have `width` dimensions."""
    if queries.shape[1] != width:
        raise InvalidInputError(
            f"a query has {queries.shape[1]} dimensions, the index has {width}", field="dense"
        )


class Best:
    """The best k of the scores offered so far, in blocks of ascending rows."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._rows: list[NDArray[np.int64]] = []
        self._scores: list[Vectors] = []
        self._held = 0
        self._beat: np.float32 | None = None
        """k rows have at least this score: later ones must have more, as they lose ties."""

    def offer(self, scores: Vectors, first: int, allowed: Mask | None) -> None:
        """Consider the scores of rows `first`, `first` + 1, ..."""
        eligible = allowed
        if self._beat is not None:
            better = scores > self._beat
            eligible = better if allowed is None else better & allowed
        rows = np.arange(len(scores)) if eligible is None else np.flatnonzero(eligible)
        self._rows.append(rows + first)
        self._scores.append(scores[rows])
        self._held += len(rows)
        if self._held >= 4 * self._k:
            best, kept = self.result()
            self._rows, self._scores, self._held = [best], [kept], len(best)
            self._beat = kept[-1]

    def result(self) -> tuple[NDArray[np.int64], Vectors]:
        """Rows and scores, best first."""
        if not self._rows:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        return top(np.concatenate(self._rows), np.concatenate(self._scores), self._k)

    def fill(self, ranking: Ranking, query: int, numbers: NDArray[np.int64] | None) -> None:
        """Put them into the empty line of a query; `numbers`: what the rows are called there."""
        rows, scores = self.result()
        ranking.rows[query, : len(rows)] = rows if numbers is None else numbers[rows]
        ranking.scores[query, : len(rows)] = scores


def top(rows: NDArray[np.int64], scores: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """The best k of `scores`, best first; ties by row, ascending. Raises StorageError for one that
    is not a number."""
    if np.isnan(scores.max(initial=-np.inf)):
        raise StorageError(
            "an inner product is not a number: a stored vector was altered (see `twindex verify`) "
            "or the query has numbers that are none"
        )
    if len(scores) > k:
        at_least = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = scores >= at_least
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
