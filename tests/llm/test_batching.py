"""Batches of texts of similar length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.llm.batching import batches, mask, pad


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 120))
def test_batches_are_sorted_by_length_and_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    found = [batch.tolist() for batch in batches(lengths, budget)]
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    assert [row for batch in found for row in batch] == order
    for batch in found:
        padded = len(batch) * max(lengths[row] for row in batch)
        assert padded <= budget or len(batch) == 1


@pytest.mark.parametrize(
    ("side", "rows", "ones"),
    [
        ("right", [[1, 2, 3], [4, 9, 9]], [[1, 1, 1], [1, 0, 0]]),
        ("left", [[1, 2, 3], [9, 9, 4]], [[1, 1, 1], [0, 0, 1]]),
    ],
)
def test_pad_and_mask_agree(side: str, rows: list[list[int]], ones: list[list[int]]) -> None:
    assert np.array_equal(pad([[1, 2, 3], [4]], fill=9, side=side), rows)
    assert np.array_equal(mask([3, 1], side=side), ones)
