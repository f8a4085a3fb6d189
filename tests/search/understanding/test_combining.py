"""Passages are added to the terms of a query."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.search.finding.combining import TERMS, repeats, summed


@given(
    st.dictionaries(st.text(max_size=3), st.floats(0.01, 10), max_size=5),
    st.lists(st.dictionaries(st.text(max_size=3), st.floats(0.01, 10), max_size=5), max_size=3),
    st.integers(1, 5),
)
def test_summed_terms_have_the_sum_of_the_query(query, passages, repeat):
    found = summed(query, passages, repeat)
    assert set(found) == set(query).union(*passages)
    if query:
        assert sum(found.values()) == pytest.approx(sum(query.values()))
    totals = {
        term: repeat * query.get(term, 0) + sum(one.get(term, 0) for one in passages)
        for term in found
    }
    assert {t: w * sum(totals.values()) for t, w in found.items()} == pytest.approx(
        {t: w * sum(found.values()) for t, w in totals.items()}
    )


def test_the_query_counts_more_often_the_longer_the_passages_are():
    assert repeats("two words", ["three words here"]) == 1
    assert repeats("two words", ["word " * 120, "word " * 120]) == 20
    assert repeats("", ["word " * 12]) == 2


def test_only_the_heaviest_added_terms_are_kept():
    passages = [{f"term{n}": 1.0 + n for n in range(TERMS + 10)}]
    found = summed({"query": 1.0}, passages, 1)
    assert len(found) == TERMS + 1
    assert "query" in found
    assert "term9" not in found
    assert "term10" in found
