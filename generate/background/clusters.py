"""Groups demonstrations by k-means, so that prompts with different groups differ in their view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

ROUNDS = 100
"""Maximum number of rounds of k-means."""

T = TypeVar("T")


def kmeans(vectors: NDArray[np.float32], k: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster of each vector, int64 [n], from 0 to at most k - 1. No cluster is empty.

    vectors: float32 [n, d], n >= 1.
    k:       maximum number of clusters. Fewer than k different vectors give fewer clusters.
    seed:    seed of the initial centres. Equal seeds give equal clusters.

    Uses Lloyd's algorithm with k-means++ (Arthur and Vassilvitskii, 2007).
    """
    points = vectors.astype(np.float64)
    random = np.random.default_rng(seed)
    centres = points[[int(random.integers(len(points)))]]
    nearest = _squares(points, centres)[:, 0]
    while len(centres) < k and nearest.max() > 1e-12:
        chosen = int(random.choice(len(points), p=nearest / nearest.sum()))
        centres = np.vstack([centres, points[chosen]])
        nearest = np.minimum(nearest, _squares(points, points[[chosen]])[:, 0])
    clusters = _squares(points, centres).argmin(1)
    for _ in range(ROUNDS):
        own = [points[clusters == c] for c in range(len(centres))]
        centres = np.stack(
            [one.mean(0) if len(one) else centre for one, centre in zip(own, centres, strict=True)]
        )
        moved = _squares(points, centres).argmin(1)
        if np.array_equal(moved, clusters):
            break
        clusters = moved
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64).reshape(-1)


def groups(
    items: Sequence[T], vectors: NDArray[np.float32], k: int, size: int, seed: int
) -> list[list[T]]:
    """Return `size` random items of each cluster, or all items of a smaller cluster.

    vectors: float32 [n, d], one for each item.
    k, seed: arguments of `kmeans`. The seed also determines the random choice of items.
    """
    clusters = kmeans(vectors, k, seed)
    found = []
    for cluster in range(int(clusters.max()) + 1):
        members = np.flatnonzero(clusters == cluster)
        random = np.random.default_rng([seed, cluster])
        found.append([items[int(one)] for one in random.permutation(members)[:size]])
    return found


def _squares(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared Euclidean distances, float64 [n, c]."""
    return np.stack([np.square(points - centre).sum(1) for centre in centres], axis=1)
