"""Balanced k-means whose centres are vectors of the data, as in the balanced tree of SPTAG.

Distances are squared Euclidean distances between unit vectors, 2 - 2 x.c. In round t, a vector is
assigned to

    argmin over clusters c of  |x - mean_c|^2 + lambda * (size of c in round t - 1)

    lambda = min(1 / (factor * n), (maximum - mean) / n)

n is the number of sampled vectors. maximum and mean refer to the distances of the vectors in the
largest cluster to the mean of that cluster. factor is an argument.

The final assignment uses lambda = 0 and replaces each mean by its medoid, the nearest vector.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ...arrays.vectors import Vectors

Labels = NDArray[np.int64]

SAMPLE = 1_000
"""Number of vectors that the means are computed from."""

ROUNDS = 100
"""Maximum number of rounds."""
PATIENCE = 5
"""Stop after this many rounds without a lower sum of costs."""

STILL = 1e-3
"""Stop if the means move less than this (sum of squares)."""

FACTORS = tuple(10.0**power for power in range(-3, 4))
"""Values of `factor` in lambda that `best_factor` tries."""

BLOCK = 8_192
"""Number of vectors whose distances are computed at a time."""


def split(vectors: Vectors, k: int, factor: float, rng: Generator) -> tuple[Labels, Labels]:
    """Divide unit vectors into at most k clusters.

    vectors: float32 [n, d], n >= k.
    factor:  with a smaller factor, large clusters may have a greater penalty (lambda in the module
             docstring).

    Returns the cluster of each vector, int64 [n], and the row of each cluster's medoid, int64
    [clusters]. No cluster is empty. There are fewer than k clusters only if some vectors are equal.
    """
    rows = np.arange(len(vectors), dtype=np.int64)
    if len(rows) > max(SAMPLE, 2 * k):
        rows = np.sort(rng.choice(len(rows), max(SAMPLE, 2 * k), replace=False))
    sample = vectors[rows]
    medoids = rows[_medoids(sample, _means(sample, k, factor, rng))]
    labels = _nearest(vectors, vectors[medoids])
    if (labels == labels[0]).all():  # Most vectors are equal, so the means are equal too.
        different = distinct(vectors)
        medoids = rng.choice(different, min(k, len(different)), replace=False)
        labels = _nearest(vectors, vectors[medoids])
    kept, labels = np.unique(labels, return_inverse=True)
    return labels, medoids[kept]


def best_factor(vectors: Vectors, k: int, rng: Generator) -> float:
    """Return the value of FACTORS for which k clusters of the vectors have the most even sizes."""

    def unevenness(factor: float) -> float:
        sizes = np.bincount(split(vectors, k, factor, rng)[0], minlength=k)
        return float(sizes.std())

    return min(FACTORS, key=unevenness)


def medoid(vectors: Vectors) -> int:
    """Return the row of the vector that is nearest to the mean of all vectors."""
    return int(np.argmin(_distances(vectors, vectors.mean(axis=0, keepdims=True))[:, 0]))


def distinct(vectors: Vectors) -> Labels:
    """Return the first row of each distinct vector, ascending."""
    whole = np.dtype((np.void, vectors.itemsize * vectors.shape[1]))
    as_bytes = np.ascontiguousarray(vectors).view(whole)[:, 0]
    return np.sort(np.unique(as_bytes, return_index=True)[1])


def _means(sample: Vectors, k: int, factor: float, rng: Generator) -> Vectors:
    n = len(sample)
    means = sample[rng.choice(n, k, replace=False)]
    sizes = np.zeros(k, dtype=np.int64)
    penalty, least, since = 0.0, math.inf, 0
    best = means
    for _ in range(ROUNDS):
        distances = _distances(sample, means)
        costs = distances + (penalty * sizes).astype(np.float32)
        labels = np.argmin(costs, axis=1)
        cost = float(costs[np.arange(n), labels].sum(dtype=np.float64))
        own = distances[np.arange(n), labels]
        sizes = np.bincount(labels, minlength=k).astype(np.int64)
        if cost < least:
            least, since, best = cost, 0, means
        else:
            since += 1
        largest = own[labels == sizes.argmax()]
        penalty = min(1 / (factor * n), float(largest.max() - largest.mean()) / n)
        moved = _updated(sample, labels, own, sizes)
        still = float(((moved - means) ** 2).sum()) < STILL
        means = moved
        if still or since >= PATIENCE:
            break
    return means if still else best


def _updated(sample: Vectors, labels: Labels, own: Vectors, sizes: NDArray[np.int64]) -> Vectors:
    """Return the mean of each cluster, float32 [clusters, d].

    An empty cluster has no mean. Its row is a vector of the largest cluster instead: the one
    farthest from the mean of that cluster.

    labels: cluster of each vector.
    own:    distance of each vector to the mean of its cluster.
    sizes:  number of vectors of each cluster.
    """
    member = (labels == np.arange(len(sizes))[:, None]).astype(np.float32)
    means: Vectors = (member @ sample) / np.maximum(sizes, 1)[:, None].astype(np.float32)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        largest = np.flatnonzero(labels == sizes.argmax())
        farthest = largest[np.argsort(-own[largest], kind="stable")]
        means[empty] = sample[np.resize(farthest, len(empty))]
    return means


def _medoids(sample: Vectors, means: Vectors) -> Labels:
    """Assign each row to its nearest mean. Return the nearest assigned row of each mean.

    Skips means without assigned rows.
    """
    distances = _distances(sample, means)
    labels = np.argmin(distances, axis=1)
    distances[labels[:, None] != np.arange(len(means))] = np.inf
    filled = np.bincount(labels, minlength=len(means)) > 0
    rows: Labels = np.argmin(distances[:, filled], axis=0)
    return rows


def _nearest(vectors: Vectors, centres: Vectors) -> Labels:
    labels = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        labels[start : start + BLOCK] = np.argmin(_distances(block, centres), axis=1)
    return labels


def _distances(vectors: Vectors, centres: Vectors) -> Vectors:
    """Return the squared distances of unit vectors to centres of any length, float32 [n, k]."""
    lengths = np.einsum("kd,kd->k", centres, centres)
    distances: Vectors = vectors @ (-2 * centres.T)
    distances += lengths + 1
    return distances
