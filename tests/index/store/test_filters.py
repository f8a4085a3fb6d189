"""Filters select the same documents as a literal evaluation in Python."""

from __future__ import annotations

import json
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.core.filters import MAX_CONDITIONS, flatten, parse_filter
from twindex.index.store.filters import selection
from twindex.index.store.filters.field_names import unknown_fields
from twindex.index.store.filters.selection import select_newer

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
    scalars.map(lambda v: {"ne": v}),
    st.sampled_from(["", "a", "ab", "1"]).map(lambda v: {"prefix": v}),
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
    """Return True if a document meets a condition, by the documented meaning."""

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
        if "ne" in test and any(same(i, test["ne"]) for i in items):
            return False
        if "prefix" in test and not any(
            isinstance(i, str) and i.startswith(test["prefix"]) for i in items
        ):
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
    """Return a database of documents numbered from 1, with ids doc1... and titles Title 1..."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE fields (key TEXT, kind INTEGER, value, number INTEGER)")
    connection.execute("CREATE TABLE documents (number INTEGER, id TEXT)")
    connection.execute("CREATE TABLE contents (number INTEGER, title TEXT, metadata TEXT)")
    for number, document in enumerate(documents, 1):
        connection.execute("INSERT INTO documents VALUES (?, ?)", (number, f"doc{number}"))
        connection.execute(
            "INSERT INTO contents VALUES (?, ?, ?)",
            (number, f"Title {number}" if number < 9 else "", json.dumps(document)),
        )
        connection.executemany(
            "INSERT INTO fields VALUES (?, ?, ?, ?)",
            {(key, kind, value, number) for key, kind, value in flatten(document)},
        )
    return connection


def select(connection: sqlite3.Connection, condition: dict[str, Any]) -> Any:
    """Return the numbers of the documents that meet a filter."""
    return selection.select(connection, parse_filter(condition))


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
        ({"a": {"ne": None}}, "filter.a.ne"),
        ({"a": {"prefix": 3}}, "filter.a.prefix"),
        ({"a": {"prefix": "\ud800"}}, "filter.a.prefix"),
        ({"a": {"date": {"gte": "May 2024"}}}, "filter.a.date.gte"),
        ({"a": {"date": {"in": ["2024-05-01"]}}}, "filter.a.date"),
        ({"a": {"date": {}}}, "filter.a.date"),
        ({"a": {"date": 2024}}, "filter.a.date.eq"),
        ({"and": "a"}, "filter.and"),
        ({"a": {1: 3}}, "filter.a"),
    ],
)
def test_the_field_of_an_invalid_filter_is_named(condition, field):
    with pytest.raises(InvalidInputError) as caught:
        parse_filter(condition)
    assert caught.value.field == field


@pytest.mark.parametrize("levels", [40, 3_000])
def test_deep_nesting_is_refused(levels):
    condition: Any = {"a": 1}
    listed: Any = 1
    for _ in range(levels):
        condition = {"not": condition}
        listed = [listed]
    with pytest.raises(InvalidInputError, match="nested deeper"):
        parse_filter(condition)
    with pytest.raises(InvalidInputError, match="must be a string, a finite number or a boolean"):
        parse_filter({"a": listed})


def test_the_conditions_of_the_whole_filter_are_counted():
    half = MAX_CONDITIONS // 2
    nots, values = [{"not": {"a": 1}}] * half, list(range(half))
    parse_filter({"and": nots})
    parse_filter({"a": {"in": values, "contains": values}})
    for one in ({"b": 1}, {"b": {"gt": 1}}, {"b": {"exists": False}}, {"not": {}}, {}):
        with pytest.raises(InvalidInputError, match="more than 1,000 conditions"):
            parse_filter({"and": [*nots, one]})
    with pytest.raises(InvalidInputError, match="more than 1,000 conditions"):
        parse_filter({"or": [{"a": {"in": values}}, {"a": {"in": values}}, {"a": {"in": []}}]})


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


@given(documents=collections, condition=conditions, after=st.integers(0, 8))
def test_newer_documents_are_selected_by_the_same_rules(documents, condition, after):
    connection = database(documents)
    expected = [n for n in select(connection, condition).tolist() if n > after]
    assert select_newer(connection, parse_filter(condition), after).tolist() == expected
    connection.close()


def test_prefixes_at_the_ends_of_unicode():
    texts = ["a\ud7ff", "a\ud7ffb", "a\ue000", "\U0010ffff", "\U0010ffffz", "b"]
    connection = database([{"t": text} for text in texts])
    for begin in ("", "a", "a\ud7ff", "\U0010ffff", "z"):
        expected = [n for n, text in enumerate(texts, 1) if text.startswith(begin)]
        assert select(connection, {"t": {"prefix": begin}}).tolist() == expected, begin
    connection.close()


zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones)
operators = {"eq": "__eq__", "gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}


@given(
    stored=st.lists(moments, max_size=6),
    base=moments,
    near=st.integers(-(10**11), 10**11),
    name=st.sampled_from(sorted(operators)),
)
def test_dates_with_zones_are_compared_as_instants(stored, base, near, name):
    with suppress(OverflowError):
        stored.append(base + timedelta(microseconds=near))
    connection = database([{"day": one.isoformat()} for one in [*stored, base]])
    wanted = {"day": {"date": {name: base.isoformat()}}}
    expected = [
        n for n, one in enumerate([*stored, base], 1) if getattr(one, operators[name])(base)
    ]
    assert select(connection, wanted).tolist() == expected
    connection.close()


def test_dates_without_a_zone_are_utc():
    days = [
        "2024-05-01",  # midnight UTC
        "2024-05-01T00:00:00Z",
        "2024-05-01T02:00:00+02:00",
        "2024-04-30 22:00-0200",
        "2024-05-01T00:00:01",  # UTC, because no zone is given
        "2024-05-01T01:00:00+02:00",  # an hour before midnight UTC
        "May 2024",
        ["x", "2024-05-01"],
        20240501,
    ]
    connection = database([{"day": day} for day in days])
    assert select(connection, {"day": {"date": "2024-05-01"}}).tolist() == [1, 2, 3, 4, 8]
    assert select(connection, {"day": {"date": {"gt": "2024-05-01"}}}).tolist() == [5]
    assert select(connection, {"day": {"date": {"lt": "2024-05-01"}}}).tolist() == [6]
    both = {"day": {"date": {"gte": "2024-04-30T23:00Z", "lt": "2024-05-01"}}}
    assert select(connection, both).tolist() == [6]
    connection.close()


def test_id_and_title_match_the_document_and_its_metadata():
    connection = database([{}, {"title": "Title 1"}, {"id": "doc1"}, {"id": 1}])
    assert select(connection, {"id": "doc1"}).tolist() == [1, 3]
    assert select(connection, {"id": 1}).tolist() == [4]
    assert select(connection, {"id": {"in": ["doc2", "doc4"]}}).tolist() == [2, 4]
    assert select(connection, {"id": {"prefix": "doc"}}).tolist() == [1, 2, 3, 4]
    assert select(connection, {"id": {"gt": "doc2"}}).tolist() == [3, 4]
    assert select(connection, {"id": {"ne": "doc1"}}).tolist() == [2, 4]
    assert select(connection, {"id": {"exists": True}}).tolist() == [1, 2, 3, 4]
    assert select(connection, {"title": "Title 1"}).tolist() == [1, 2]
    assert select(connection, {"title": {"prefix": "Title"}}).tolist() == [1, 2, 3, 4]
    connection.close()
    connection = database([{}] * 9)
    assert select(connection, {"title": {"exists": False}}).tolist() == [9]
    connection.close()


def test_groups_are_counted():
    for group in ({"and": []}, {"or": []}, {"or": [{"and": []}]}):
        count = MAX_CONDITIONS // (2 if group == {"or": [{"and": []}]} else 1)
        parse_filter({"a": 1, "or": [group] * (count - 1)})
        with pytest.raises(InvalidInputError, match="more than 1,000 groups"):
            parse_filter({"or": [group] * (count + 1)})
    deep: Any = {"and": []}
    for _ in range(31):
        deep = {"or": [deep]}
    parse_filter(deep)
    with pytest.raises(InvalidInputError, match="more than 1,000 groups"):
        parse_filter({"and": [deep] * 40})


def test_warnings_suggest_the_nearest_known_field():
    connection = database([{"year": 1, "author": {"name": "Ada"}, "genres": []}])
    known = {"year": 2, "author.name": "x", "author": {"exists": True}, "id": "1", "title": "x"}
    assert unknown_fields(connection, parse_filter(known)) == []
    assert unknown_fields(connection, parse_filter({"not": {"yaer": 1}, "zzz": {"ne": 3}})) == [
        "filter: no document has a field 'yaer'; did you mean 'year'?",
        "filter: no document has a field 'zzz'",
    ]
    connection.close()


def test_values_of_another_kind_are_warned_about():
    connection = database([{"year": "1990", "n": 1, "both": 1}, {"both": "1", "flag": True}])
    known = {"year": {"prefix": "19"}, "n": {"gt": 0}, "both": 1, "flag": True}
    assert unknown_fields(connection, parse_filter(known)) == []
    assert (
        unknown_fields(
            connection, parse_filter({"or": [{"both": "1"}, {"year": {"exists": True}}]})
        )
        == []
    )
    assert unknown_fields(
        connection, parse_filter({"year": {"gte": 1990}, "n": "1", "flag": 1})
    ) == [
        "filter: 'flag' is compared with a number, but documents store a boolean",
        "filter: 'n' is compared with a string, but documents store a number",
        "filter: 'year' is compared with a number, but documents store a string; to store numbers, "
        "import the field with --numeric-fields",
    ]
    connection.close()
