"""Feedback on dense vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.search.feedback import moved


@given(st.integers(0, 10_000), st.integers(1, 5), st.one_of(st.none(), st.floats(0, 1)))
def test_direction_of_the_formula_and_length_of_the_query(seed, k, weight):
    rng = np.random.default_rng(seed)
    query = rng.normal(size=8).astype(np.float32)
    passages = rng.normal(size=(k, 8)).astype(np.float32)
    share = k / (k + 1) if weight is None else weight
    expected = (1 - share) * query + share * np.mean(passages, axis=0)
    found = moved(query, passages, weight)
    assert found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(np.linalg.norm(query), rel=1e-4)
    cosine = found @ expected / (np.linalg.norm(found) * np.linalg.norm(expected))
    assert cosine == pytest.approx(1, abs=1e-4)


def test_average_is_the_mean_of_query_and_passages():
    query, passages = np.float32([3, 0]), np.float32([[0, 3], [0, 3]])
    expected = np.float32([1, 2]) * 3 / np.sqrt(5)
    np.testing.assert_allclose(moved(query, passages, None), expected, rtol=1e-6)


def test_opposite_vectors_stay_finite():
    assert moved(np.float32([1, 0]), np.float32([[-1, 0]]), 0.5).tolist() == [0, 0]
