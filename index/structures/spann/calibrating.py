"""How many lists a vector should be in, measured on the vectors themselves.

Some vectors of the sample are queries, of which the nearest in the sample are known. Only these
need their lists, and the lists for a cap are the first of those for a larger one: so all caps are
measured for the price of a few thousand vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ..originals import spread
from .candidates import compare_all, nearest_heads
from .closure import Lists, close
from .heads import Heads

CAPS = (1, 2, 3, 5, 8)
K = 10
QUERIES = 200
CANDIDATES = 64
DEPTH = 256
"""Lists of a query that are looked at."""

FEWEST = 256
"""With fewer heads or vectors nothing is measured."""

READ_BYTES = 32 << 10
"""A list costs as much as so many bytes more: reads of a page and of several take about as long."""

LARGEST = 3
"""Of the caps that are chosen without being asked for. Measured with 200,000 clustered vectors and
lists of int8: with 4, a search reads 20 to 25 % less, and the disk it takes with float16 originals
is 1.57 times the vectors as float32 instead of 1.30."""

MARGIN = 0.15
"""A larger cap is worth its space on disk if it saves this part of the cost of a search."""


@dataclass(frozen=True, slots=True)
class Cap:
    """What a cap costs. lists: read for the recall, 0 if DEPTH do not reach it. kept: lists that a
    vector is in. bytes: read for a query, about."""

    replicas: int
    lists: int
    kept: float
    bytes: int

    @property
    def cost(self) -> float:
        """Infinite if the recall is not reached."""
        return self.bytes + self.lists * READ_BYTES if self.lists else np.inf


def measure(
    sample: Vectors, heads: Vectors, graph: Heads, recall: float, vector_bytes: float, seed: int
) -> list[Cap]:
    """What each of CAPS costs for this recall of the K nearest; nothing for small collections.

    sample: unit vectors float32 [n, d]; heads: float32 [h, d], those of `graph`; vector_bytes: of
    all vectors, each once, divided by the number of heads.
    """
    if min(len(sample), len(heads)) < FEWEST:
        return []
    rows = spread(len(sample), QUERIES, seed)
    queries = sample[rows]
    near = _neighbours(sample, rows)
    count = min(CANDIDATES, len(heads))

    def lists_of(vectors: Vectors) -> Lists:
        candidates = nearest_heads(vectors, heads, graph, count)
        return close(vectors, heads, candidates, CAPS[-1], None)[0]

    accepted = (lists_of(queries) >= 0).sum(axis=1)
    lists = lists_of(sample[near.reshape(-1)]).reshape(QUERIES, -1)
    order = nearest_heads(queries, heads, graph, min(DEPTH, len(heads)))
    rank = np.full((QUERIES, len(heads) + 1), DEPTH, dtype=np.int64)  # The last is for list -1.
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


def choose(caps: list[Cap], default: int) -> int:
    """The smallest cap of which the next larger, up to LARGEST, saves less than MARGIN; `default`
    if none is known or reaches the recall."""
    usable = [cap for cap in caps if cap.lists and cap.replicas <= LARGEST]
    if not usable:
        return default
    for cap, larger in pairwise(usable):
        if larger.cost > (1 - MARGIN) * cap.cost:
            return cap.replicas
    return usable[-1].replicas


def _neighbours(sample: Vectors, rows: NDArray[np.int64]) -> Lists:
    """The K nearest of each of these rows but itself, int64 [rows, K]."""
    near = compare_all(sample[rows], sample, K + 1)
    unwanted = near == rows[:, None]
    unwanted[~unwanted.any(axis=1), -1] = True  # Equal vectors came before it.
    wanted: Lists = near[~unwanted].reshape(len(rows), K)
    return wanted
