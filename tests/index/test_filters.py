"""Filters against a literal reference over Python objects."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.index.filters import MAX_CONDITIONS, check, flatten
from twindex.index.selection import select

scalars = st.one_of(
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -1.5]),
    st.sampled_from(["a", "b", "1", ""]),
)
values = st.one_of(st.none(), scalars, st.lists(scalars, max_size=3))
metadata = st.dictionaries(st.sampled_from(["x", "y", "z"]), values, max_size=3)
collections = st.lists(metadata, min_size=1, max_size=8)

bounds = st.one_of(st.integers(-2, 2), st.sampled_from(["a", "b"]))
tests = st.one_of(
    scalars,
    scalars.map(lambda v: {"eq": v}),
    st.lists(scalars, max_size=3).map(lambda v: {"in": v}),
    st.lists(scalars, min_size=1, max_size=2).map(lambda v: {"contains": v}),
    st.booleans().map(lambda v: {"exists": v}),
    st.integers(-2, 2).map(lambda v: {"gte": v}),
    st.tuples(st.integers(-2, 0), st.integers(0, 2)).map(lambda p: {"gt": p[0], "lt": p[1]}),
    bounds.map(lambda v: {"lte": v}),
)
fields = st.dictionaries(st.sampled_from(["x", "y", "z"]), tests, max_size=2)
conditions = st.recursive(
    fields,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda v: {"and": v}),
        st.lists(inner, max_size=3).map(lambda v: {"or": v}),
        inner.map(lambda v: {"not": v}),
    ),
    max_leaves=5,
)


def kind(value: Any) -> str:
    return {bool: "bool", str: "str"}.get(type(value), "number")


def holds(document: dict[str, Any], condition: dict[str, Any]) -> bool:
    """The documented meaning, one document at a time."""

    def field(key: str, test: Any) -> bool:
        raw = document.get(key)
        items = [v for v in (raw if isinstance(raw, list) else [raw]) if v is not None]
        if not isinstance(test, dict):
            test = {"eq": test}
        same = lambda a, b: kind(a) == kind(b) and a == b  # noqa: E731
        operators = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}
        ranges = {k: v for k, v in test.items() if k in operators}
        if ranges and not any(
            all(
                kind(item) == kind(v) and getattr(item, operators[k])(v) is True
                for k, v in ranges.items()
            )
            for item in [float(i) if kind(i) == "number" else i for i in items]
        ):
            return False
        if "eq" in test and not any(same(i, test["eq"]) for i in items):
            return False
        if "in" in test and not any(same(i, v) for i in items for v in test["in"]):
            return False
        if "contains" in test and not all(any(same(i, v) for i in items) for v in test["contains"]):
            return False
        return "exists" not in test or bool(items) == test["exists"]

    return all(
        all(holds(document, c) for c in v)
        if k == "and"
        else any(holds(document, c) for c in v)
        if k == "or"
        else not holds(document, v)
        if k == "not"
        else field(k, v)
        for k, v in condition.items()
    )


def database(documents: list[dict[str, Any]]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE fields (key TEXT, kind INTEGER, value, number INTEGER)")
    connection.execute("CREATE TABLE documents (number INTEGER)")
    for number, document in enumerate(documents, 1):
        connection.execute("INSERT INTO documents VALUES (?)", (number,))
        connection.executemany(
            "INSERT INTO fields VALUES (?, ?, ?, ?)",
            {(key, kind, value, number) for key, kind, value in flatten(document)},
        )
    return connection


@given(documents=collections, condition=conditions)
def test_select_equals_the_documented_meaning(documents, condition):
    connection = database(documents)
    expected = [n for n, d in enumerate(documents, 1) if holds(d, condition)]
    assert select(connection, condition).tolist() == expected
    connection.close()


def test_nested_objects_are_reached_with_dots():
    connection = database([{"author": {"name": "Ada", "born": 1815}}, {"author": "Ada"}])
    assert select(connection, {"author.name": "Ada"}).tolist() == [1]
    assert select(connection, {"author": {"exists": True}}).tolist() == [1, 2]
    assert select(connection, {"author.born": {"lt": 1900}}).tolist() == [1]
    connection.close()


def test_dates_can_be_ranged_and_large_integers_compared():
    connection = database([{"day": "2024-05-01", "n": 2**70}, {"day": "2025-01-01", "n": 1}])
    assert select(connection, {"day": {"gte": "2024-06-01"}}).tolist() == [2]
    assert select(connection, {"n": {"gt": 2**65}}).tolist() == [1]
    connection.close()


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"year": {"gte": 1, "lt": "b"}}, "filter.year"),
        ({"year": {"between": [1, 2]}}, "filter.year"),
        ({"year": {}}, "filter.year"),
        ({"year": {"in": "drama"}}, "filter.year.in"),
        ({"year": {"eq": None}}, "filter.year.eq"),
        ({"year": {"eq": [1]}}, "filter.year.eq"),
        ({"year": {"exists": 1}}, "filter.year.exists"),
        ({"year": {"in": list(range(1001))}}, "filter.year.in"),
        ({"and": {"a": 1}}, "filter.and"),
        ({"or": [3]}, "filter.or[0]"),
        ({"not": [{"a": 1}]}, "filter.not"),
        ({"a": {"gt": True}}, "filter.a"),
        ({"a": {"eq": float("nan")}}, "filter.a.eq"),
        ({"a": 10**400}, "filter.a.eq"),
        ({"a": {"gt": -(10**5000)}}, "filter.a.gt"),
        ({"a": "\ud800"}, "filter.a.eq"),
        ({"not": {"\udfff": 1}}, "filter.not"),
        ({"a": 1, 2: 3}, "filter"),
        ({"a": {1: 3}}, "filter.a"),
    ],
)
def test_what_is_wrong_is_named(condition, field):
    with pytest.raises(InvalidInputError) as caught:
        check(condition)
    assert caught.value.field == field


@pytest.mark.parametrize("levels", [40, 3_000])
def test_deep_nesting_is_refused(levels):
    condition: Any = {"a": 1}
    listed: Any = 1
    for _ in range(levels):
        condition = {"not": condition}
        listed = [listed]
    with pytest.raises(InvalidInputError, match="nested deeper"):
        check(condition)
    with pytest.raises(InvalidInputError, match="cannot be compared"):
        check({"a": listed})


def test_the_conditions_of_the_whole_filter_are_counted():
    half = MAX_CONDITIONS // 2
    nots, values = [{"not": {"a": 1}}] * half, list(range(half))
    check({"and": nots})
    check({"a": {"in": values, "contains": values}})
    for one in ({"b": 1}, {"b": {"gt": 1}}, {"b": {"exists": False}}, {"not": {}}, {}):
        with pytest.raises(InvalidInputError, match="more than 1,000 conditions"):
            check({"and": [*nots, one]})
    with pytest.raises(InvalidInputError, match="more than 1,000 conditions"):
        check({"or": [{"a": {"in": values}}, {"a": {"in": values}}, {"a": {"in": []}}]})


def test_all_documents_are_read_at_most_once():
    connection = database([{"a": 1}, {"b": 1}])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    absent = {"c": {"exists": False}}
    found = select(connection, {"and": [absent, {"not": {"a": 1}}, {}, {"or": [absent, {}]}]})
    assert found.tolist() == [2]
    assert len([s for s in statements if "FROM documents" in s]) == 1
    connection.close()


def test_metadata_that_cannot_be_compared_is_named():
    with pytest.raises(InvalidInputError) as caught:
        list(flatten({"a": {"n": [10**400]}}))
    assert caught.value.field == "a.n"
