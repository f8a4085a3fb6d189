"""Exact search of float16 and float32 matrices with batches of all sizes, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.index.structures import exact
from twindex.index.structures.exact import BLOCK_ROWS, FEW_QUERIES

from ...house import scaled


@settings(deadline=None, max_examples=scaled(60))
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.sampled_from([0, 1, 300, BLOCK_ROWS + 7]),
    number=st.sampled_from([1, FEW_QUERIES, FEW_QUERIES + 1]),
    kind=st.sampled_from([np.float16, np.float32]),
    share=st.sampled_from([None, 0.0, 0.1, 0.7]),
)
def test_exact_search_equals_numpy_for_every_dtype_and_batch_size(
    seed: int, rows: int, number: int, kind: type, share: float | None
) -> None:
    rng = np.random.default_rng(seed)
    # Products of small integers are exact in any order.
    vectors = rng.integers(-3, 4, (rows, 5)).astype(kind)
    queries = rng.integers(-3, 4, (number, 5)).astype(np.float32)
    allowed = None if share is None else rng.random(rows) < share
    found = exact.search(queries, vectors, 10, allowed)
    for line, scores in enumerate(queries @ vectors.astype(np.float32).T):
        order = np.lexsort((np.arange(rows), -scores))
        best = (order if allowed is None else order[allowed[order]])[:10]
        assert found.rows[line].tolist() == [*best, *[-1] * (10 - len(best))]
        np.testing.assert_array_equal(found.scores[line, : len(best)], scores[best])
        assert np.isneginf(found.scores[line, len(best) :]).all()


def test_queries_of_another_width_are_rejected() -> None:
    with pytest.raises(InvalidInputError, match="must have 4 dimensions, like the index, got 3"):
        exact.search(np.ones((1, 3), np.float32), np.ones((2, 4), np.float16), 1, None)
