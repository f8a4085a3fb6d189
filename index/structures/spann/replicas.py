"""Choice of the maximum number of lists per vector (the cap), measured on a sample.

Some vectors of the sample serve as queries, and their nearest neighbours in the sample are
computed. Only the queries and these neighbours are assigned to lists, once, for the largest cap.
For a smaller cap, a vector is in the first of its lists. Measuring all caps therefore costs a few
thousand assignments.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ..originals import random_rows
from .candidates import compare_all, nearest_heads
from .closure import Lists, assign
from .heads import Heads

CAPS = (1, 2, 3, 5, 8)
K = 10
QUERIES = 200
CANDIDATES = 64
DEPTH = 256
"""Maximum number of lists searched for a query."""

FEWEST = 256
"""With fewer heads or vectors, nothing is measured."""

READ_BYTES = 32 << 10
"""Fixed cost of a list, in bytes: reading one page takes about as long as reading several."""

LARGEST = 3
"""Largest cap that is chosen automatically. Measured with 200,000 clustered vectors and int8 lists:
with a cap of 4, a search reads 20 to 25 % less. Disk usage with float16 originals grows from 1.30
to 1.57 times the size of the vectors as float32."""

MARGIN = 0.15
"""A larger cap is chosen if it saves at least this share of the cost of a search."""


@dataclass(frozen=True, slots=True)
class Cap:
    """The measured cost of a cap, which is a maximum number of lists per vector.

    replicas: the cap.
    lists:    lists read per query to reach the recall target; 0 if DEPTH lists do not reach it.
    kept:     mean number of lists per vector with this cap.
    bytes:    approximate bytes read per query.
    """

    replicas: int
    lists: int
    kept: float
    bytes: int

    @property
    def cost(self) -> float:
        """Bytes read per query plus fixed costs; infinite if the recall target is not reached."""
        return self.bytes + self.lists * READ_BYTES if self.lists else np.inf


def measure_caps(
    sample: Vectors, heads: Vectors, graph: Heads, recall: float, vector_bytes: float, seed: int
) -> list[Cap]:
    """Measure the cost of each cap in CAPS.

    sample:       unit vectors, float32 [n, d].
    heads:        float32 [h, d].
    graph:        index of the heads.
    recall:       recall target, which is the share of the K nearest neighbours to find.
    vector_bytes: mean number of bytes of a list if each vector is in only one list.
    seed:         seed of the random choice of queries from `sample`.

    Returns an empty list for fewer than FEWEST vectors or heads.
    """
    if min(len(sample), len(heads)) < FEWEST:
        return []
    rows = random_rows(len(sample), QUERIES, seed)
    queries = sample[rows]
    near = _neighbours(sample, rows)
    count = min(CANDIDATES, len(heads))

    def lists_of(vectors: Vectors) -> Lists:
        candidates = nearest_heads(vectors, heads, graph, count)
        return assign(vectors, heads, candidates, CAPS[-1], None)[0]

    accepted = (lists_of(queries) >= 0).sum(axis=1)
    lists = lists_of(sample[near.reshape(-1)]).reshape(QUERIES, -1)
    order = nearest_heads(queries, heads, graph, min(DEPTH, len(heads)))
    rank = np.full((QUERIES, len(heads) + 1), DEPTH, dtype=np.int64)  # Last column: list -1.
    np.put_along_axis(rank, order, np.arange(order.shape[1])[None], axis=1)
    ranks = np.take_along_axis(rank, lists, axis=1).reshape(QUERIES, near.shape[1], -1)
    caps = []
    for cap in CAPS:
        found_at = np.sort(ranks[:, :, :cap].min(axis=2), axis=None)
        needed = int(found_at[max(0, int(np.ceil(recall * len(found_at))) - 1)]) + 1
        read = needed if needed <= DEPTH else 0
        kept = float(np.minimum(accepted, cap).mean())
        caps.append(Cap(cap, read, round(kept, 2), round(read * kept * vector_bytes)))
    return caps


def choose_cap(caps: list[Cap], default: int) -> int:
    """Return the smallest cap for which the next larger cap does not reduce the cost by MARGIN.

    If each cap reduces the cost of the cap before it by MARGIN, returns the last one. Ignores caps
    above LARGEST. Returns `default` if no measured cap reaches the recall target.
    """
    usable = [cap for cap in caps if cap.lists and cap.replicas <= LARGEST]
    if not usable:
        return default
    for cap, larger in pairwise(usable):
        if larger.cost > (1 - MARGIN) * cap.cost:
            return cap.replicas
    return usable[-1].replicas


def _neighbours(sample: Vectors, rows: NDArray[np.int64]) -> Lists:
    """Return the K nearest neighbours of each row, without the row itself, int64 [rows, K]."""
    near = compare_all(sample[rows], sample, K + 1)
    unwanted = near == rows[:, None]
    unwanted[~unwanted.any(axis=1), -1] = True  # Equal vectors replaced it.
    wanted: Lists = near[~unwanted].reshape(len(rows), K)
    return wanted
