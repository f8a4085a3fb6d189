"""LlamaIndex's metadata filters select the same documents as LlamaIndex's own evaluation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

import twindex
from twindex.integrations.llama_index import to_filter

from .conftest import Counted
from .filtered import FIELDS, METADATA

Op = FilterOperator
COMPARE = [Op.EQ, Op.NE, Op.GT, Op.LT, Op.GTE, Op.LTE]
AMONG = [Op.IN, Op.NIN]


def single(field: str) -> st.SearchStrategy[MetadataFilter]:
    def made(operators: list[Op], values: st.SearchStrategy[Any]) -> Any:
        key = st.just(field)
        return st.builds(MetadataFilter, key=key, value=values, operator=st.sampled_from(operators))

    values = FIELDS[field]
    empty = made([Op.IS_EMPTY], st.none())
    if field == "tags":
        lists = st.lists(values, min_size=1, max_size=2)
        return made([Op.CONTAINS], values) | made([Op.ANY, Op.ALL], lists) | empty
    lists = st.lists(values.map(float) if field == "year" else values, min_size=1, max_size=3)
    return made(COMPARE, values) | made(AMONG, lists) | empty


filters = st.builds(
    MetadataFilters,
    filters=st.lists(st.sampled_from(sorted(FIELDS)).flatmap(single), max_size=4),
    condition=st.sampled_from([*FilterCondition, None]),
)


@given(filters)
def test_filters_select_what_llama_index_selects(counted: Counted, given_filters) -> None:
    matches = build_metadata_filter_fn(METADATA.__getitem__, given_filters)
    assert counted(to_filter(given_filters)) == {id_ for id_ in METADATA if matches(id_)}


@given(filters, filters, st.sampled_from([FilterCondition.AND, FilterCondition.OR]))
def test_nested_filters(counted: Counted, one, other, condition) -> None:
    both = MetadataFilters(filters=[one, other], condition=condition)
    first, second = (build_metadata_filter_fn(METADATA.__getitem__, f) for f in (one, other))
    parts = [f for f, made in ((first, one), (second, other)) if made.filters]
    join = all if condition == FilterCondition.AND else any
    expected = {id_ for id_ in METADATA if not parts or join(part(id_) for part in parts)}
    assert counted(to_filter(both)) == expected


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        (Op.TEXT_MATCH, "a", "filters.name: the operator 'text_match' cannot be expressed"),
        (Op.TEXT_MATCH_INSENSITIVE, "a", "the operator 'text_match_insensitive' cannot"),
        (Op.IN, "a", "the operator 'in' requires a list, got 'a'"),
        (Op.EQ, ["a"], "the operator '==' requires a string or a number, got a list"),
        (Op.GT, None, "the operator '>' requires a string or a number, got null"),
    ],
)
def test_what_cannot_be_expressed_is_refused(operator, value, message) -> None:
    given_filter = MetadataFilter(key="name", value=value, operator=operator)
    with pytest.raises(twindex.InvalidInputError) as wrong:
        to_filter(MetadataFilters(filters=[given_filter]))
    assert message in str(wrong.value)


def test_other_values() -> None:
    assert to_filter(None) is None
    assert to_filter({"year": 1990}) == {"year": 1990}
    with pytest.raises(twindex.InvalidInputError, match="filters: must be MetadataFilters"):
        to_filter("year = 1990")
    with pytest.raises(twindex.InvalidInputError, match="cannot test a field with the name 'not'"):
        to_filter(MetadataFilters(filters=[MetadataFilter(key="not", value=1)]))
