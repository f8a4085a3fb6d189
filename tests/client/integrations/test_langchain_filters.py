"""LangChain's structured queries select the same documents as a reference in Python."""

from __future__ import annotations

import operator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.structured_query import (
    Comparator,
    Comparison,
    FilterDirective,
    Operation,
    Operator,
    StructuredQuery,
)

import twindex
from twindex.integrations.langchain import TwindexTranslator, to_filter

from .conftest import Counted
from .filtered import FIELDS, METADATA

COMPARE = {
    Comparator.GT: operator.gt,
    Comparator.GTE: operator.ge,
    Comparator.LT: operator.lt,
    Comparator.LTE: operator.le,
}


def matches(condition: FilterDirective, metadata: dict[str, Any]) -> bool:
    """Evaluate a condition on the metadata of one document."""
    if isinstance(condition, Operation):
        found = [matches(one, metadata) for one in condition.arguments]
        if condition.operator == Operator.NOT:
            return not found[0]
        return all(found) if condition.operator == Operator.AND else any(found)
    assert isinstance(condition, Comparison)
    known, value = metadata.get(condition.attribute), condition.value
    match condition.comparator:
        case Comparator.EQ:
            return bool(known == value)
        case Comparator.NE:
            return bool(known != value)
        case Comparator.IN:
            return known in value
        case Comparator.NIN:
            return known not in value
        case Comparator.CONTAIN:
            return isinstance(known, list) and value in known
    return known is not None and bool(COMPARE[condition.comparator](known, value))


def comparisons() -> st.SearchStrategy[FilterDirective]:
    def single(field: str) -> st.SearchStrategy[FilterDirective]:
        values = FIELDS[field]
        if field == "tags":
            return st.builds(Comparison, st.just(Comparator.CONTAIN), st.just(field), values)
        return st.one_of(
            st.builds(
                Comparison,
                st.sampled_from([Comparator.EQ, Comparator.NE, *COMPARE]),
                st.just(field),
                values,
            ),
            st.builds(
                Comparison,
                st.sampled_from([Comparator.IN, Comparator.NIN]),
                st.just(field),
                st.lists(values, max_size=3),
            ),
        )

    return st.sampled_from(sorted(FIELDS)).flatmap(single)


def operations(inner: st.SearchStrategy[FilterDirective]) -> st.SearchStrategy[FilterDirective]:
    several = st.builds(
        Operation,
        st.sampled_from([Operator.AND, Operator.OR]),
        st.lists(inner, min_size=1, max_size=3),
    )
    return several | st.builds(lambda one: Operation(Operator.NOT, [one]), inner)


@given(st.recursive(comparisons(), operations, max_leaves=6))
def test_conditions_select_what_the_reference_selects(counted: Counted, condition) -> None:
    expected = {id_ for id_, metadata in METADATA.items() if matches(condition, metadata)}
    assert counted(to_filter(condition)) == expected


def test_dates_are_compared_as_instants(make) -> None:
    collection = make()
    collection.add(
        [
            {"id": "a", "text": "", "metadata": {"day": "2024-05-01T00:00:00+02:00"}},
            {"id": "b", "text": "", "metadata": {"day": "2024-05-02"}},
        ]
    )
    for comparator, value, expected in (
        (Comparator.LT, {"date": "2024-05-01", "type": "date"}, 1),
        (Comparator.EQ, {"datetime": "2024-05-02T02:00:00+02:00", "type": "datetime"}, 1),
        (Comparator.NE, {"date": "2024-05-02", "type": "date"}, 1),
        (Comparator.IN, [{"date": "2024-05-02", "type": "date"}], 1),
        (Comparator.GTE, {"date": "2024-04-30", "type": "date"}, 2),
        (Comparator.GT, datetime(2024, 5, 1), 1),
    ):
        assert collection.count(to_filter(Comparison(comparator, "day", value))) == expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Comparison(Comparator.LIKE, "name", "a%"), "filter.name: the comparator 'like' cannot"),
        (Comparison(Comparator.IN, "name", "a"), "filter.name: must be a list, got 'a'"),
        (Comparison(Comparator.EQ, "or", 1), "cannot test a field with the name 'or'"),
        (Operation(Operator.NOT, []), "`not` must have 1 argument, got 0"),
        (7, "filter: must be a Twindex filter"),
    ],
)
def test_what_cannot_be_expressed_is_refused(condition, message) -> None:
    with pytest.raises(twindex.InvalidInputError) as wrong:
        to_filter(condition)
    assert message in str(wrong.value)


def test_values_that_no_filter_compares_are_refused_by_the_collection(make) -> None:
    for value in (None, [1]):
        with pytest.raises(twindex.InvalidInputError, match=r"^filter\.day"):
            make().count(to_filter(Comparison(Comparator.EQ, "day", value)))


def test_a_structured_query_becomes_arguments_of_a_search() -> None:
    condition = Comparison(Comparator.GTE, "year", 1990)
    query = StructuredQuery("birds", condition, 3)
    assert query.accept(TwindexTranslator()) == (
        "birds",
        {"filter": {"year": {"gte": 1990}}, "k": 3},
    )
    assert StructuredQuery("birds", None).accept(TwindexTranslator()) == ("birds", {})
    assert to_filter(None) is None
    assert to_filter({"year": 1990}) == {"year": 1990}
