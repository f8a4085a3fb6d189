"""Balanced clusters, and the selection of heads."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from twindex.index.structures.spann.clustering import best_factor, medoid, split
from twindex.index.structures.spann.heads import normalized
from twindex.index.structures.spann.selection import apportion, select

from ...house import scaled


def directions(n: int, d: int = 8, seed: int = 0) -> NDArray[np.float32]:
    """Return unit vectors, half of them in a narrow cone."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d), dtype=np.float32)
    vectors[: n // 2] = 0.3 * vectors[: n // 2] + np.eye(d, dtype=np.float32)[0]
    return normalized(vectors)


@pytest.mark.parametrize("n", [3_000, 200, 20])
def test_every_vector_is_in_the_cluster_of_its_nearest_medoid(n: int) -> None:
    vectors = directions(n)
    labels, medoids = split(vectors, 10, 1.0, np.random.default_rng(0))
    assert len(np.unique(medoids)) == len(medoids) == 10
    distances = ((vectors[:, None] - vectors[medoids]) ** 2).sum(axis=2)
    own = distances[np.arange(n), labels]
    assert np.allclose(own, distances.min(axis=1), atol=1e-5)
    assert (labels[medoids] == np.arange(10)).all()


def test_a_medoid_is_nearest_to_the_mean() -> None:
    vectors = directions(50)
    distances = ((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1)
    assert medoid(vectors) == distances.argmin()


def test_the_penalty_makes_sizes_more_even() -> None:
    vectors = directions(2_000)

    def spread(factor: float) -> float:
        rng = np.random.default_rng(0)
        sizes = [np.bincount(split(vectors, 16, factor, rng)[0], minlength=16) for _ in range(10)]
        return float(np.mean([of_one.std() / of_one.mean() for of_one in sizes]))

    assert spread(0.001) < 0.9 * spread(1e9)
    assert best_factor(vectors, 16, np.random.default_rng(0)) < 1e3


@pytest.mark.parametrize("n", [1, 2, 7, 1_000])
def test_equal_vectors_are_one_cluster_and_one_head(n: int) -> None:
    vectors = np.tile(directions(1), (n, 1))
    labels, medoids = split(vectors, n, 1.0, np.random.default_rng(0))
    assert len(medoids) == 1
    assert (labels == 0).all()
    assert len(select(vectors, n, 0)) == 1


@pytest.mark.parametrize(("n", "count"), [(1, 1), (40, 40), (2_000, 3), (3_000, 137), (5, 9)])
def test_the_requested_number_of_heads_is_selected(n: int, count: int) -> None:
    vectors = directions(n)
    heads = select(vectors, count, 0)
    assert len(np.unique(heads)) == len(heads) == min(n, count)
    assert (np.diff(heads) > 0).all()
    assert np.array_equal(heads, select(vectors, count, 0))
    assert n < 2_000 or not np.array_equal(heads, select(vectors, count, 1))


def test_dense_regions_have_more_heads() -> None:
    vectors = directions(4_000)
    heads = vectors[select(vectors, 200, 0)]
    sizes = np.bincount((vectors @ heads.T).argmax(axis=1), minlength=200)
    drawn = vectors[np.random.default_rng(0).choice(4_000, 200, replace=False)]
    at_random = np.bincount((vectors @ drawn.T).argmax(axis=1), minlength=200)
    assert sizes.std() < 0.8 * at_random.std()


@given(
    arrays.arrays(np.int8, st.tuples(st.integers(1, 60), st.just(2)), elements=st.integers(-1, 1)),
    st.integers(1, 70),
)
@settings(max_examples=scaled(60), deadline=None)
def test_heads_are_distinct_vectors(raw: NDArray[np.int8], count: int) -> None:
    vectors = normalized(raw.astype(np.float32))
    heads = select(vectors, count, 0)
    different = len(np.unique(vectors, axis=0))
    assert 1 <= len(heads) <= min(count, different)
    assert len(np.unique(vectors[heads], axis=0)) == len(heads)
    if count >= len(vectors):
        assert len(heads) == different


@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_seats_are_proportional_to_size(sizes: list[int], data: st.DataObject) -> None:
    seats = data.draw(st.integers(len(sizes), sum(sizes)))
    given_ = apportion(np.array(sizes), seats)
    assert given_.sum() == seats
    assert (given_ >= 1).all()
    assert (given_ <= np.array(sizes)).all()
    ideal = (np.array(sizes) - 1) * (seats - len(sizes)) / max(1, sum(sizes) - len(sizes))
    assert (np.abs(given_ - 1 - ideal) < 1 + 1e-9).all()
