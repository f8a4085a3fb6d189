"""k-means of demonstrations: properties, a brute-force reference, and equal results for a seed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.generate.background.clusters import groups, kmeans


def cost(points: np.ndarray, clusters: np.ndarray) -> float:
    """Return the sum of squared distances to the means of the clusters."""
    return sum(
        float(np.square(points[clusters == c] - points[clusters == c].mean(0)).sum())
        for c in np.unique(clusters)
    )


@given(
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=30),
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
)
def test_clusters_are_nearest_and_not_empty(rows, k, seed):
    points = np.array(rows, dtype=np.float32)
    clusters = kmeans(points, k, seed)
    assert sorted(set(clusters.tolist())) == list(range(clusters.max() + 1))
    assert clusters.max() < min(k, len(set(rows)))
    assert np.array_equal(clusters, kmeans(points, k, seed))
    centres = np.array([points[clusters == c].mean(0) for c in range(clusters.max() + 1)])
    squares = np.square(points[:, None].astype(float) - centres).sum(2)
    own = squares[np.arange(len(points)), clusters]
    assert np.allclose(own, squares.min(1))


def test_separate_clusters_are_found_as_by_brute_force():
    random = np.random.default_rng(3)
    points = np.concatenate([random.normal(c, 0.1, (3, 2)) for c in (0, 5, 10)]).astype(np.float32)
    best = min(cost(points, np.array(one)) for one in product(range(3), repeat=len(points)))
    for seed in range(20):
        assert cost(points, kmeans(points, 3, seed)) == pytest.approx(best)


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_groups_depend_on_the_seed_only(count, k, size, seed):
    vectors = np.random.default_rng(1).standard_normal((count, 4)).astype(np.float32)
    items = [f"item {n}" for n in range(count)]
    found = groups(items, vectors, k, size, seed)
    assert found == groups(items, vectors, k, size, seed)
    clusters = kmeans(vectors, k, seed)
    for number, group in enumerate(found):
        members = {items[n] for n in np.flatnonzero(clusters == number)}
        assert set(group) <= members
        assert len(group) == len(set(group)) == min(size, len(members))


def test_other_seeds_choose_other_demonstrations():
    vectors = np.zeros((50, 2), dtype=np.float32)
    found = {tuple(groups(range(50), vectors, 3, 5, seed)[0]) for seed in range(5)}
    assert len(found) == 5
