"""Masks of the rows of given documents: both algorithms return the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twindex.index.store import snapshot


@given(
    own=st.lists(st.integers(0, 40), max_size=60).map(sorted),
    wanted=st.lists(st.integers(0, 45), max_size=8),
    few=st.sampled_from([0, 1, 1_000]),
)
def test_mask_marks_the_rows_of_the_documents(own, wanted, few):
    numbers, chosen = np.array(own, dtype=np.int64), np.array(wanted, dtype=np.int64)
    before, snapshot.ROWS_PER_LOOKUP = snapshot.ROWS_PER_LOOKUP, few
    try:
        mask = snapshot._rows_of_documents(numbers, chosen)
    finally:
        snapshot.ROWS_PER_LOOKUP = before
    assert mask.dtype == np.bool_
    assert mask.tolist() == [number in wanted for number in own]
