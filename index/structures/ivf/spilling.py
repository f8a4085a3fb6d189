"""The second list of each vector (SOAR, Sun et al., NeurIPS 2023).

The nearest list misses the vectors that lie far from its centre in the direction of the query. A
second list helps where its residual is orthogonal to that of the first, for it then fails at other
queries. With r = x - c of the nearest centre c, the second is the one that minimises

    |x - c'|^2 + WEIGHT * ((x - c') . r / |r|)^2

among the next nearest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ...codecs.gather import dot_rows
from ...compiling import summing
from ...protocol import Ranking

WEIGHT = np.float32(1.0)
CANDIDATES = 16
"""Nearest lists that are looked at: the second is hardly ever further away."""


def two_lists(vectors: Vectors, centres: Vectors, exact: Any) -> NDArray[np.int64]:
    """The lists of each vector, int64 [n, 2]. exact: FAISS's flat index of at least 2 centres."""
    products, lists = exact.search(vectors, min(CANDIDATES, len(centres)))
    first = lists[:, 0]
    residual = vectors - centres[first]
    distance = np.square(centres).sum(axis=1)[lists] - 2 * products  # Less |x|^2.
    along = np.einsum("nd,nd->n", residual, vectors)[:, None] - dot_rows(residual, centres, lists)
    length = np.maximum(np.square(residual).sum(axis=1), np.finfo(np.float32).tiny)
    cost = distance + WEIGHT * np.square(along) / length[:, None]
    second = lists[np.arange(len(lists)), 1 + np.argmin(cost[:, 1:], axis=1)]
    return np.stack([first, second], axis=1)


def distinct(found: Ranking, k: int) -> Ranking:
    """The first k rows of each line, each once. Rows that repeat have equal scores."""
    kept = Ranking.empty(len(found.rows), k)
    _distinct(found.rows, found.scores, kept.rows, kept.scores)
    return kept


@summing
def _distinct(
    rows: NDArray[np.int64], scores: Vectors, kept_rows: NDArray[np.int64], kept: Vectors
) -> None:
    for line in range(rows.shape[0]):
        count = 0
        for place in range(rows.shape[1]):
            row, score = rows[line, place], scores[line, place]
            if row < 0 or count == kept_rows.shape[1]:
                break
            before = count - 1
            while before >= 0 and kept[line, before] == score and kept_rows[line, before] != row:
                before -= 1
            if before >= 0 and kept[line, before] == score:
                continue  # It is there.
            kept_rows[line, count], kept[line, count] = row, score
            count += 1
