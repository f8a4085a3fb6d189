"""Inner products of each query with its own candidate rows, for rescoring."""

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
    """Return scores, float32 [n, c]: scores[i, j] = queries[i] . matrix[rows[i, j]].

    c is the number of candidates of each query. The inner products are computed in float32.

    queries: float32 [n, d].
    matrix:  float16 or float32 [N, d], may be memory-mapped.
    rows:    row numbers in the matrix, int64 [n, c]. The score of row -1 is -inf.

    Raises ValueError if the shapes do not match, and IndexError for a row number of N or more.
    """
    if queries.shape[1] != matrix.shape[1] or len(queries) != len(rows):
        raise ValueError(
            "expected queries [n, d], rows [n, c] and a matrix [N, d], got shapes "
            f"{queries.shape}, {rows.shape} and {matrix.shape}"
        )
    scores = np.empty(rows.shape, dtype=np.float32)
    plain: NDArray[Any] = matrix.view(np.ndarray)  # Numba takes longer to inspect a memmap.
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
        for column in range(rows.shape[1]):
            row = rows[query, column]
            if row < 0:
                scores[query, column] = -np.inf
                continue
            if row >= matrix.shape[0]:
                raise IndexError("a row number must be below the number of rows of the matrix")
            total = np.float32(0)
            for axis in range(matrix.shape[1]):
                total += queries[query, axis] * widened(matrix[row, axis])
            scores[query, column] = total
