"""Selection of heads: the medoids of a tree of balanced clusters.

A head is the vector that represents a list. Each cluster gets a number of heads in proportion to
its size, and is divided until each part has one head. Dense regions therefore have more heads, and
the total is exact. SPTAG instead builds the whole tree and searches for thresholds that give about
the requested number.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from .clustering import best_factor, distinct, medoid, split

Rows = NDArray[np.int64]

MOST_CHILDREN = 32
"""Maximum number of clusters that a cluster is divided into."""


def select(vectors: Vectors, count: int, seed: int) -> Rows:
    """Select `count` of the vectors as heads. Return their rows, int64, distinct and ascending.

    vectors: unit vectors, float32 [n, d]. Returns fewer rows if vectors are equal or count > n.
    """
    rng = np.random.default_rng(seed)
    count = min(count, len(vectors))
    levels = max(1, math.ceil(math.log(max(count, 2)) / math.log(MOST_CHILDREN) - 1e-9))
    children = max(2, math.ceil(count ** (1 / levels)))
    factor = best_factor(vectors, min(children, count), rng) if count > 1 else 1.0
    heads: list[int] = []
    waiting: list[tuple[Rows, int]] = [(np.arange(len(vectors), dtype=np.int64), count)]
    while waiting:
        rows, quota = waiting.pop()
        here = vectors if len(rows) == len(vectors) else vectors[rows]
        if quota == 1:
            heads.append(int(rows[medoid(here)]))
            continue
        labels, medoids = split(here, min(children, quota), factor, rng)
        if len(medoids) == 1:  # All these vectors are equal.
            heads.append(int(rows[medoids[0]]))
            continue
        order = np.argsort(labels, kind="stable")
        sizes = np.bincount(labels)
        parts = np.split(rows[order], np.cumsum(sizes)[:-1])
        waiting.extend(zip(parts, apportion(sizes, quota).tolist(), strict=True))
    ascending = np.sort(np.array(heads, dtype=np.int64))
    return ascending[distinct(vectors[ascending])]


def apportion(sizes: NDArray[np.int64], seats: int) -> NDArray[np.int64]:
    """Divide a number of heads among clusters. Return the heads of each cluster, int64 [clusters].

    sizes: number of vectors in each cluster.
    seats: number of heads to divide.

    The numbers are about proportional to the sizes of the clusters, at least 1 and at most the
    size. They are rounded down; the heads that remain go to the clusters with the largest
    remainders (Hamilton). Requires len(sizes) <= seats <= sum(sizes) and sizes of at least 1.
    """
    spare, room = seats - len(sizes), sizes - 1
    ideal = room * (spare / max(1, int(room.sum())))
    given = np.minimum(np.floor(ideal).astype(np.int64), room)
    left = spare - int(given.sum())
    open_ = np.flatnonzero(given < room)
    given[open_[np.argsort(given[open_] - ideal[open_], kind="stable")[:left]]] += 1
    seated: NDArray[np.int64] = 1 + given
    return seated
