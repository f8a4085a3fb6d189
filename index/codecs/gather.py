"""Inner products of each query with rows of its own: how candidates are scored again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from ..compiling import summing
from .half import widened


def dot_rows(
    queries: Vectors, matrix: NDArray[np.float16] | Vectors, rows: NDArray[np.int64]
) -> Vectors:
    """queries[i] . matrix[rows[i, j]] at [i, j]; -inf where the row is -1.

    queries: float32 [n, d]; matrix: float16 or float32 [N, d], which may be a mapped file;
    rows: int64 [n, c], each from -1 to N - 1. Computed in float32. Raises ValueError for shapes
    that do not fit and IndexError for a row that is not there.
    """
    if queries.shape[1] != matrix.shape[1] or len(queries) != len(rows):
        raise ValueError(f"{queries.shape} queries, {rows.shape} rows, a {matrix.shape} matrix")
    scores = np.empty(rows.shape, dtype=np.float32)
    plain: NDArray[Any] = matrix.view(np.ndarray)  # A memmap costs numba more to look at.
    if matrix.dtype == np.float16:
        plain = plain.view(np.uint16)
    _dot(queries, plain, rows, scores)
    return scores


@summing
def _dot(
    queries: Vectors,
    matrix: NDArray[np.uint16] | Vectors,
    rows: NDArray[np.int64],
    scores: Vectors,
) -> None:
    for query in range(rows.shape[0]):
        for place in range(rows.shape[1]):
            row = rows[query, place]
            if row < 0:
                scores[query, place] = -np.inf
                continue
            if row >= matrix.shape[0]:
                raise IndexError("no such row")
            total = np.float32(0)
            for axis in range(matrix.shape[1]):
                total += queries[query, axis] * widened(matrix[row, axis])
            scores[query, place] = total
