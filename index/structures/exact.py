"""Exact search: compares every query with every allowed vector by inner product.

Rows are processed in blocks, so that the products are still in the cache when the best ones are
selected. Queries are processed in groups, so that one block is multiplied by many queries.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, Representation, StorageError
from ...sources.vectors import LARGEST
from ..arrays.vectors import Stored, Vectors
from ..codecs.gather import dot_rows
from ..protocol import Mask, Ranking, check_single

BLOCK_ROWS = 8192
"""Number of rows in a block."""
QUERY_GROUP = 256
"""Number of queries multiplied with a block at a time."""
FEW_QUERIES = 4
"""Up to this many queries, rows are scored in place instead of copied for a matrix product."""
GATHER_SHARE = 4
"""If at most 1/4 of all rows are allowed, only these are scored. Otherwise all rows are scored and
the scores are masked."""

Chosen = slice | NDArray[np.int64]
"""A selection of rows: a slice or row numbers."""
Score = Callable[[Vectors, Chosen], Vectors]
"""(queries float32 [n, d], selected rows) -> their inner products, float32 [n, rows]."""


def dense(representation: Representation) -> Vectors:
    """Return the dense vectors of a batch as contiguous float32 [n, d].

    Raises InvalidInputError if the batch has no dense vectors, or several vectors for each text.
    """
    if representation.dense is None:
        raise InvalidInputError(
            "a dense leg requires dense vectors: use an encoder that returns them", field="dense"
        )
    check_single(representation)
    return np.ascontiguousarray(representation.dense, dtype=np.float32)


def storable(representation: Representation) -> Vectors:
    """Return the dense vectors of passages, float32 [n, d].

    Raises InvalidInputError if a number is NaN, infinite or above LARGEST in absolute value. Inner
    products of larger numbers can overflow, and some inputs make FAISS abort the process.
    """
    vectors = dense(representation)
    wrong = ~(np.abs(vectors).max(axis=1, initial=0) <= LARGEST)  # Also true for NaN.
    if wrong.any():
        raise InvalidInputError(
            f"vector {int(wrong.argmax())} of {len(vectors)} has a number that is not finite or "
            f"exceeds {LARGEST:g} in absolute value: check the output of the encoder",
            field="dense",
        )
    return vectors


def search(queries: Vectors, vectors: Stored, k: int, allowed: Mask | None) -> Ranking:
    """Return the best k rows of `vectors` for each query. Ties are ordered by row, ascending.

    queries: float32 [n, d].
    vectors: float16 or float32 [rows, d].
    allowed: mask of the rows to search; None: all.

    Raises InvalidInputError if queries and vectors have different widths.
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
    """Return the best k of `total` rows for each query. Ties are ordered by row, ascending.

    score:  computes the inner products of queries and rows.
    gather: True: if few rows are allowed, `score` receives only the numbers of these rows. False:
            `score` always receives slices, which together cover all rows.
    group:  number of queries scored at a time. Each group reads all blocks of rows again, so use
            larger groups if blocks are slow to read.
    """
    found = Ranking.empty(len(queries), k)
    chosen = None
    if gather and allowed is not None and is_selective(allowed):
        chosen, allowed = np.flatnonzero(allowed), None
        total = len(chosen)
    for start in range(0, len(queries), group):
        batch = queries[start : start + group]
        best = [TopK(k) for _ in batch]
        for first in range(0, total, BLOCK_ROWS):
            piece = slice(first, min(first + BLOCK_ROWS, total))
            mask = None if allowed is None else allowed[piece]
            if mask is None or mask.any():
                products = score(batch, piece if chosen is None else chosen[piece])
                for scores, one in zip(products, best, strict=True):
                    one.offer(scores, first, mask)
        for index, one in enumerate(best, start):
            one.fill(found, index, chosen)
    return found


def is_selective(allowed: Mask) -> bool:
    """Return True if it is faster to copy the allowed rows than to score and mask all rows."""
    return bool(np.count_nonzero(allowed) * GATHER_SHARE <= len(allowed))


def _products(queries: Vectors, vectors: Stored, rows: Chosen) -> Vectors:
    """Return the inner products of the queries with `rows` of `vectors`, float32 [n, len(rows)]."""
    half = vectors.dtype == np.float16
    if len(queries) <= FEW_QUERIES and (half or not isinstance(rows, slice)):
        # For few queries this is faster than copying rows or converting them to float32.
        numbers = np.arange(rows.start, rows.stop) if isinstance(rows, slice) else rows
        return np.vstack([dot_rows(query[None], vectors, numbers[None]) for query in queries])
    # Vectors mapped by FAISS are not aligned, and numpy has no fast product for these.
    block = np.require(vectors[rows], np.float32, "A")
    products: Vectors = queries @ block.T
    return products


def check_width(queries: Vectors, width: int) -> None:
    """Raise InvalidInputError unless the queries have `width` dimensions."""
    if queries.shape[1] != width:
        raise InvalidInputError(
            f"query vectors must have {width} dimensions, like the index, got {queries.shape[1]}: "
            "use the encoder that the index was built with",
            field="dense",
        )


class TopK:
    """Collects the best k rows of one query, from blocks of scores in ascending row order."""

    def __init__(self, k: int) -> None:
        self._k = k
        self._rows: list[NDArray[np.int64]] = []
        self._scores: list[Vectors] = []
        self._held = 0
        self._beat: np.float32 | None = None
        """k rows have at least this score. Later rows lose ties, so they need a higher score."""

    def offer(self, scores: Vectors, first: int, allowed: Mask | None) -> None:
        """Add the scores of rows `first`, `first` + 1, ..., float32 [n].

        allowed: mask of these rows, bool [n]; None: all are allowed.
        """
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
        """Return the best rows and their scores, best first."""
        if not self._rows:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        return top_k(np.concatenate(self._rows), np.concatenate(self._scores), self._k)

    def fill(self, ranking: Ranking, query: int, numbers: NDArray[np.int64] | None) -> None:
        """Write the best rows and scores into row `query` of an empty ranking.

        numbers: row r is written as numbers[r]; None: row r is written as r.
        """
        rows, scores = self.result()
        ranking.rows[query, : len(rows)] = rows if numbers is None else numbers[rows]
        ranking.scores[query, : len(rows)] = scores


def top_k(rows: NDArray[np.int64], scores: Vectors, k: int) -> tuple[NDArray[np.int64], Vectors]:
    """Return the rows and scores of the best k scores, best first; ties by row, ascending.

    Raises StorageError if a score is NaN.
    """
    if np.isnan(scores.max(initial=-np.inf)):
        raise StorageError(
            "an inner product is not a number: a stored vector is damaged (run `twindex verify`) "
            "or the query vector contains NaN or infinity"
        )
    if len(scores) > k:
        at_least = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = scores >= at_least
        rows, scores = rows[kept], scores[kept]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]
