"""Haystack's filters select the same documents as Haystack's own evaluation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from haystack import Document
from haystack.errors import FilterError
from haystack.utils.filters import document_matches_filter
from hypothesis import given
from hypothesis import strategies as st

import twindex
from twindex.integrations.haystack import TwindexFilterError, to_filter

from .conftest import Counted
from .filtered import FIELDS, METADATA

SCALARS = sorted({*FIELDS} - {"tags"})
DOCUMENTS = [Document(id=id_, content="", meta=metadata) for id_, metadata in METADATA.items()]


def comparison(field: str) -> st.SearchStrategy[dict[str, Any]]:
    values = FIELDS[field] | st.none()
    ordered = (">", ">=", "<", "<=") if field == "year" else ()

    def made(operators: Any, value: st.SearchStrategy[Any]) -> Any:
        name = st.sampled_from([f"meta.{field}", field])
        return st.fixed_dictionaries(
            {"field": name, "operator": st.sampled_from(operators), "value": value}
        )

    lists = st.lists(values, max_size=3)
    return made(("==", "!=", *ordered), values) | made(("in", "not in"), lists)


def logic(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "operator": st.sampled_from(["AND", "OR", "NOT"]),
            "conditions": st.lists(inner, max_size=3),
        }
    )


@given(st.recursive(st.sampled_from(SCALARS).flatmap(comparison), logic, max_leaves=6))
def test_filters_select_what_haystack_selects(counted: Counted, filters) -> None:
    expected = {one.id for one in DOCUMENTS if document_matches_filter(filters, one)}
    assert counted(to_filter(filters)) == expected


DAYS = ["2024-05-01", "2024-05-01T00:00:00", "2024-05-01 12:30:00", "2024-06-01", "soon"]


@pytest.mark.parametrize("operator", ["==", "!=", ">", ">=", "<", "<=", "in", "not in"])
def test_dates_are_compared_as_haystack_compares_them(make, operator) -> None:
    collection = make({"legs": {"lexical": {"kind": "lexical"}}})
    documents = [Document(id=day, content="", meta={"day": day}) for day in DAYS]
    collection.add({"id": one.id, "text": "", "metadata": one.meta} for one in documents)
    if operator not in ("==", "!=", "in", "not in"):
        documents = documents[:-1]  # Haystack raises an error for a text that is no date.
    for value in (*DAYS[:-1], datetime(2024, 5, 1, 12, 30), date(2024, 6, 1)):
        if isinstance(value, date) and not isinstance(value, datetime):
            continue  # Haystack compares only texts and datetimes.
        filters = {"field": "meta.day", "operator": operator, "value": value}
        if operator.endswith("in"):
            filters["value"] = [value]
        expected = {one.id for one in documents if document_matches_filter(filters, one)}
        found = {one.id for one in collection.scan(to_filter(filters))}
        assert found == expected, filters


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"field": "content", "operator": "==", "value": "a"}, "filters.field: 'content' cannot"),
        ({"field": "embedding", "operator": "==", "value": None}, "'embedding' cannot be tested"),
        ({"field": "meta.a", "operator": "like", "value": "a"}, "filters.operator: must be one of"),
        ({"field": "meta.a", "operator": ">", "value": "b"}, "filters.value: the operators >"),
        ({"field": "meta.a", "operator": ">", "value": True}, "filters.value: the operators >"),
        ({"field": "meta.a", "operator": "==", "value": [1]}, "filters.value: must be a string"),
        ({"field": "meta.a", "operator": "in", "value": [[1]]}, r"filters.value\[0\]: must be a"),
        ({"field": "meta.and", "operator": "==", "value": 1}, "field with the name 'and'"),
        ({"field": 7, "operator": "==", "value": 1}, "filters.field: must be a string, got 7"),
        ({"operator": "XOR", "conditions": []}, "filters.operator: must be one of AND, OR, NOT"),
        ({"operator": "AND", "conditions": {}}, "filters.conditions: must be a list"),
        ({"operator": "AND", "conditions": [7]}, r"filters.conditions\[0\]: must be an object"),
        ("year", "filters: must be an object"),
    ],
)
def test_what_cannot_be_expressed_is_refused(filters, named) -> None:
    with pytest.raises(TwindexFilterError, match=named) as wrong:
        to_filter(filters)
    assert isinstance(wrong.value, FilterError)
    assert isinstance(wrong.value, twindex.InvalidInputError)


def test_an_empty_filter_selects_everything() -> None:
    assert to_filter(None) is None
    assert to_filter({}) is None
