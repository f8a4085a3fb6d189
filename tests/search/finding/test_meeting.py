"""Which found documents meet a condition, computed from the values of fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import Document
from twindex.core.filters import OWN, STRING, Condition, flatten, meets, parse_filter
from twindex.index import FieldValues, View
from twindex.search.arranging.meeting import meeting

from ...conformance.stores import dates, documents, filters, operators, real_dates, scalars

dense = st.builds(
    Document,
    id=st.just("a"),
    text=st.just(""),
    metadata=st.fixed_dictionaries({"x": scalars | st.lists(scalars, max_size=3), "day": dates}),
)
"""Documents with the same fields."""
leaves = st.one_of(
    st.dictionaries(operators, st.integers(-2, 2), min_size=1, max_size=2).map(
        lambda bounds: {"x": bounds}
    ),
    st.dictionaries(operators, st.sampled_from(["a", "ab", ""]), min_size=1, max_size=2).map(
        lambda bounds: {"x": bounds}
    ),
    st.sampled_from(["", "a", "ab"]).map(lambda text: {"x": {"prefix": text}}),
    st.lists(scalars, max_size=3).map(lambda values: {"x": {"in": values}}),
    st.dictionaries(operators | st.just("eq"), real_dates, min_size=1, max_size=2).map(
        lambda bounds: {"day": {"date": bounds}}
    ),
)
"""Filters on these fields."""


class Documents:
    """A view of documents, as far as `meeting` needs it. A document's handle is its position."""

    def __init__(self, stored: Sequence[Document]) -> None:
        self._stored = stored

    def values(self, key: str, handles: np.ndarray) -> FieldValues:
        pairs = []
        for position, handle in enumerate(handles.tolist()):
            document = self._stored[handle]
            if key in OWN and (own := getattr(document, key)):
                pairs.append((position, (STRING, own)))
            for name, kind, value in flatten(document.metadata):
                if name == key:
                    pairs.append((position, (kind, value)))
        return FieldValues.of(pairs)

    def matching(self, where: Condition) -> np.ndarray:
        return np.flatnonzero([meets(one, where) for one in self._stored])


@settings(max_examples=400)
@given(
    st.one_of(
        st.tuples(st.lists(dense, max_size=12), leaves),
        st.tuples(st.lists(documents, max_size=12), filters),
    ),
    st.randoms(use_true_random=False),
)
def test_found_documents_meet_a_condition_as_single_documents_do(drawn, chance):
    stored, found = drawn
    condition = parse_filter(found)
    handles = list(range(len(stored)))
    chance.shuffle(handles)
    handles = handles[: len(handles) - chance.randrange(3)]
    view = cast(View, cast(Any, Documents(stored)))
    mask = meeting(view, condition, np.array(handles, dtype=np.int64))
    assert mask.tolist() == [meets(stored[handle], condition) for handle in handles]
