"""The heads near each of many vectors."""

from __future__ import annotations

import numpy as np

from ...arrays.vectors import Vectors
from ...compiling import kernel
from .closure import Lists
from .heads import Heads

COMPARED = 12_000
"""Up to so many heads a matrix product takes less time than a search of their graph, and misses
none (measured, with 384 dimensions: 22 against 99 us a vector at 2,000 heads, 101 against 147 at
8,000, 190 against 178 at 16,000; the graph misses 5 to 1 % of the 32 nearest).
Dividing the heads into groups and looking at few of them does not help: in clustered vectors of
many dimensions the 32 nearest heads lie in half of 90 groups."""

ROWS, COLUMNS = 512, 2_048
"""Of a product at a time: it stays in the cache until the best are taken from it."""


def nearest_heads(vectors: Vectors, heads: Vectors, graph: Heads, count: int) -> Lists:
    """Numbers of the `count` heads with the largest inner products, best first, int64 [n, count].

    vectors: float32 [n, d]; heads: float32 [h, d], those of `graph`; count <= h. Exact for few
    heads.
    """
    if len(heads) > COMPARED:
        return graph.nearest(vectors, count)[0]
    return compare_all(vectors, heads, count)


def compare_all(vectors: Vectors, others: Vectors, count: int) -> Lists:
    """Rows of the `count` others with the largest inner products, int64 [n, count], best first;
    equal ones by row.

    vectors: float32 [n, d]; others: float32 [m, d], m >= count.
    """
    best = np.full((len(vectors), count), -np.inf, dtype=np.float32)
    nearest = np.full((len(vectors), count), -1, dtype=np.int64)
    for start in range(0, len(vectors), ROWS):
        rows = slice(start, start + ROWS)
        for first in range(0, len(others), COLUMNS):
            products = vectors[rows] @ others[first : first + COLUMNS].T
            _keep(products, first, best[rows], nearest[rows])
    return nearest


@kernel
def _keep(products: Vectors, first: int, best: Vectors, nearest: Lists) -> None:
    """Merge products [n, m] with others `first` and on into the sorted best of each vector."""
    last = best.shape[1] - 1
    for row in range(products.shape[0]):
        for column in range(products.shape[1]):
            value = products[row, column]
            if value <= best[row, last]:
                continue
            at = last
            while at > 0 and best[row, at - 1] < value:
                best[row, at], nearest[row, at] = best[row, at - 1], nearest[row, at - 1]
                at -= 1
            best[row, at], nearest[row, at] = value, first + column
