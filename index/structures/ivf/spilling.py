"""Choice of a second list for each vector (SOAR, Sun et al., NeurIPS 2023).

The residual of vector x in the list of centre c is r = x - c. Queries in the direction of the
residual miss the list of the nearest centre. A second list helps if its residual is orthogonal to
the first residual: different queries then miss it. With r for the nearest centre c, the second
centre is the centre c' that minimises

    |x - c'|^2 + WEIGHT * ((x - c') . r / |r|)^2

among the next nearest centres.
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
"""Weight of the component parallel to the first residual."""
CANDIDATES = 16
"""Number of nearest lists considered. The best second list is almost always among them."""


def two_lists(vectors: Vectors, centres: Vectors, exact: Any) -> NDArray[np.int64]:
    """Return the two lists of each vector, int64 [n, 2], nearest centre first.

    vectors: float32 [n, d].
    centres: float32 [lists, d], at least 2.
    exact:   FAISS flat index of the centres.
    """
    products, lists = exact.search(vectors, min(CANDIDATES, len(centres)))
    first = lists[:, 0]
    residual = vectors - centres[first]
    distance = np.square(centres).sum(axis=1)[lists] - 2 * products  # Without |x|^2.
    along = np.einsum("nd,nd->n", residual, vectors)[:, None] - dot_rows(residual, centres, lists)
    length = np.maximum(np.square(residual).sum(axis=1), np.finfo(np.float32).tiny)
    cost = distance + WEIGHT * np.square(along) / length[:, None]
    second = lists[np.arange(len(lists)), 1 + np.argmin(cost[:, 1:], axis=1)]
    return np.stack([first, second], axis=1)


def distinct(found: Ranking, k: int) -> Ranking:
    """Remove repeated rows from search results and return the first k of each query.

    Repeated rows must have equal scores.
    """
    kept = Ranking.empty(len(found.rows), k)
    _distinct(found.rows, found.scores, kept.rows, kept.scores)
    return kept


@summing
def _distinct(
    rows: NDArray[np.int64], scores: Vectors, kept_rows: NDArray[np.int64], kept: Vectors
) -> None:
    for line in range(rows.shape[0]):
        count = 0
        for column in range(rows.shape[1]):
            row, score = rows[line, column], scores[line, column]
            if row < 0 or count == kept_rows.shape[1]:
                break
            before = count - 1
            while before >= 0 and kept[line, before] == score and kept_rows[line, before] != row:
                before -= 1
            if before >= 0 and kept[line, before] == score:
                continue  # The row is already present.
            kept_rows[line, count], kept[line, count] = row, score
            count += 1
