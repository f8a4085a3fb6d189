"""Rows of chosen documents: the quick way and the plain one find the same."""

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
def test_rows_of_chosen_documents(own, wanted, few):
    numbers, chosen = np.array(own, dtype=np.int64), np.array(wanted, dtype=np.int64)
    before, snapshot.FEW = snapshot.FEW, few
    try:
        mask = snapshot._among(numbers, chosen)
    finally:
        snapshot.FEW = before
    assert mask.dtype == np.bool_
    assert mask.tolist() == [number in wanted for number in own]
