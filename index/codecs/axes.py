"""Axes of each kind of projection, as orthonormal rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..arrays.vectors import Vectors

SEED = 0
"""Seed of the random directions. The seed is fixed, so that equal collections get equal files."""


def _principal_axes(sample: Vectors, wanted: int) -> Vectors:
    """Return the first `wanted` principal axes about the origin, float32 [wanted, d].

    Projecting the sample onto these axes keeps the largest possible sum of squares. Unlike in a
    principal component analysis, the mean of the sample is not subtracted. The axes then also keep
    the direction of the mean, on which inner products depend.
    """
    values = sample.astype(np.float64)
    _, vectors = np.linalg.eigh(values.T @ values)
    axes = vectors.T[::-1][:wanted]
    # The sign of an axis is arbitrary: make its largest coordinate positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return (axes * np.where(largest < 0, -1, 1)).astype(np.float32)


def _random_directions(dimensions: int, wanted: int) -> Vectors:
    """Return orthonormal rows in uniformly random directions, float32 [wanted, dimensions]."""
    normal = np.random.default_rng(SEED).standard_normal((dimensions, wanted))
    axes, triangle = np.linalg.qr(normal)
    return (axes * np.where(np.diag(triangle) < 0, -1, 1)).T.astype(np.float32)


def _rotated_axes(sample: Vectors, wanted: int) -> Vectors:
    """Return principal axes, rotated at random within their subspace, float32 [wanted, d].

    The rotation changes no inner product. Values along the first principal axes are much larger
    than along the last ones. The rotation makes them similar, which suits codecs with the same
    number of bits for every dimension. For MiniLM vectors projected to half of their dimensions,
    the binary codec finds 47 % of the nearest neighbours without the rotation and 61 % with it.
    """
    return _random_directions(wanted, wanted) @ _principal_axes(sample, wanted)


def _random_axes(sample: Vectors, wanted: int) -> Vectors:
    return _random_directions(sample.shape[1], wanted)


def _first_axes(sample: Vectors, wanted: int) -> Vectors:
    return np.eye(wanted, sample.shape[1], dtype=np.float32)


AXES: Mapping[str, Callable[[Vectors, int], Vectors]] = {
    "pca": _rotated_axes,
    "random": _random_axes,
    "matryoshka": _first_axes,
}
"""For each kind of projection, a function that returns its axes.

Arguments: a sample, float32 [n, d], and the number of axes. Result: float32 [axes, d]."""
