"""Filters with many overlapping conditions select the same documents with bounded work."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core.filters import BOOLEAN, NUMBER, STRING, Dated, Range, parse_filter
from twindex.index.store.filters import selection
from twindex.index.store.filters.columns import Column
from twindex.index.store.filters.field_names import unknown_fields
from twindex.index.store.filters.selection import MASK_THRESHOLD, all_numbers

from .test_filters import collections, conditions, database, holds, metadata, select

big = st.sampled_from([2**53, 2**53 + 1, float(2**53), -(2**63), 2**63 - 1, 2.0**63, 1e300])
days = st.sampled_from(
    [
        "2024-05-01",
        "2024-05-01T02:00:00+02:00",
        "2024-05-01T00:00:01Z",
        "2023-12-31T23:59",
        "May",
        "",
    ]
)
words = st.sampled_from(["a", "ab", "é", "\ud7ff", "\ue000", "\U0010ffff", "Title 3", "doc2", ""])
documents_of_all_kinds = st.lists(
    st.dictionaries(
        st.sampled_from(["n", "day", "t", "title", "id", "o.p"]),
        st.one_of(big, days, words, st.booleans(), st.lists(st.one_of(big, days, words))),
        max_size=4,
    ),
    min_size=1,
    max_size=6,
)
operator = st.sampled_from(["gt", "gte", "lt", "lte"])
ranges = st.one_of(st.dictionaries(operator, kind, min_size=1, max_size=4) for kind in (big, words))
dates = st.dictionaries(
    st.sampled_from(["eq", "gt", "gte", "lt", "lte"]),
    days.filter(lambda text: text[:2] == "20"),
    min_size=1,
    max_size=3,
)
tests = st.one_of(
    ranges,
    dates.map(lambda v: {"date": v}),
    words.map(lambda v: {"prefix": v}),
    st.one_of(big, words, st.booleans()).map(lambda v: {"eq": v}),
    st.one_of(big, words, st.booleans()).map(lambda v: {"ne": v}),
    st.lists(st.one_of(big, words), max_size=3).map(lambda v: {"in": v}),
    st.lists(st.one_of(big, words), max_size=2).map(lambda v: {"contains": v}),
    st.booleans().map(lambda v: {"exists": v}),
)
leaves = st.dictionaries(
    st.sampled_from(["n", "day", "t", "title", "id", "o", "o.p", "none"]), tests, max_size=2
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda v: {"and": v}),
        st.lists(inner, max_size=4).map(lambda v: {"or": v}),
        inner.map(lambda v: {"not": v}),
    ),
    max_leaves=12,
)


def narrow(connection, condition):
    return selection._Selection(connection).numbers(parse_filter(condition)).tolist()


def broad(connection, condition):
    parsed = parse_filter(condition)
    return selection._MaskSelection(selection._Selection(connection), parsed).numbers().tolist()


@settings(deadline=None)
@given(documents=collections, condition=conditions)
def test_masks_select_by_the_documented_meaning(documents, condition):
    connection = database(documents)
    expected = [n for n, document in enumerate(documents, 1) if holds(document, condition)]
    assert broad(connection, condition) == expected
    connection.close()


@settings(deadline=None)
@given(documents=documents_of_all_kinds, condition=trees)
def test_masks_select_the_same_as_lookups(documents, condition):
    """Also for dates, large numbers, all of Unicode, ids and titles, which SQLite compares."""
    connection = database(documents)
    assert broad(connection, condition) == narrow(connection, condition)
    connection.close()


@settings(deadline=None)
@given(documents=st.lists(metadata, min_size=1, max_size=6), low=st.lists(st.integers(-3, 3)))
def test_any_number_of_conditions_selects_by_the_documented_meaning(documents, low):
    connection = database(documents)
    condition = {"or": [{"x": {"gte": value, "lt": value + 2}} for value in low]}
    expected = [n for n, document in enumerate(documents, 1) if holds(document, condition)]
    assert select(connection, condition).tolist() == expected
    connection.close()


def overlapping(count):
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for i in range(count):
        day = (begin + timedelta(hours=i)).isoformat()
        yield {"y": {"gte": i, "lt": i + 500}}
        yield {"y": {"gt": i - 500}, "s": {"prefix": "a"}}
        yield {"day": {"date": {"gte": day}}}
        yield {"title": f"Title {i}"}
        yield {"not": {"id": {"lt": f"doc{i}"}}}
        yield {"s": {"exists": True}}


@pytest.mark.parametrize("group", ["and", "or"])
def test_a_field_with_many_conditions_is_read_once(group):
    """The work is measured by the number of SQL statements."""
    days = [f"2024-{1 + i % 12:02d}-01" for i in range(300)]
    documents = [{"y": i, "s": f"a{i}", "day": days[i]} for i in range(300)]
    connection = database(documents)
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    counts = []
    for count in (10, 120):
        statements.clear()
        condition = {group: list(overlapping(count))}
        found = select(connection, condition).tolist()
        counts.append(len(statements))
        connection.set_trace_callback(None)
        assert found == narrow(connection, condition)
        connection.set_trace_callback(statements.append)
    # All documents; the columns y, s, day, title, id; whether s exists.
    assert counts == [7, 7]
    connection.close()


def test_results_beyond_the_text_limit_of_sqlite():
    connection = database([{"y": i % 3, "l": [i % 2, 7]} for i in range(50)])
    condition = {"or": [{"y": {"gt": 0}}, {"l": {"gte": 0}, "y": {"ne": 2}}]}
    expected = select(connection, condition).tolist()
    assert len(expected) == 50
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 100)
    assert select(connection, condition).tolist() == expected
    connection.close()


def test_narrow_conditions_use_the_index():
    """A thousand ids are found without reading all documents."""
    connection = database([{"y": i % 3} for i in range(50)])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    condition = {"id": {"in": [f"doc{i}" for i in range(1, 900)]}, "y": {"gt": 0}}
    assert len(select(connection, condition)) == 33
    assert not [sql for sql in statements if "SELECT number FROM documents ORDER" in sql]
    connection.close()


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ({"or": [{"x": {"gt": i}} for i in range(MASK_THRESHOLD)]}, MASK_THRESHOLD),
        ({"x": {"in": list(range(900))}}, 0),
        ({"title": {"in": ["a", "b", "c"]}}, 3),
        ({"and": [{"and": []}, {"or": []}, {"not": {"x": 1}}, {"x": {"exists": True}}]}, 4),
    ],
)
def test_count_of_broad_parts(condition, count):
    parts = selection._parts(parse_filter(condition))
    assert sum(selection._is_broad(part) for part in parts) == count


def test_damaged_rows_are_left_out():
    """Their checksums report them elsewhere. Here they must not raise another error."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE fields (key, kind, value, number)")
    connection.execute("CREATE TABLE documents (number INTEGER, id TEXT)")
    connection.executemany("INSERT INTO documents VALUES (?, 'x')", [(1,), (3,)])
    rows = [("n", NUMBER, 1, 1), ("n", NUMBER, "one", 3), ("n", NUMBER, None, 3), ("n", 0, 2, 99)]
    rows += [("s", STRING, "2024-05-01", 3), ("s", STRING, 7, 1), ("s", STRING, "2024", 2)]
    connection.executemany("INSERT INTO fields VALUES (?, ?, ?, ?)", rows)
    connection.execute("INSERT INTO fields VALUES ('s', 1, CAST(x'ff' AS TEXT), 1)")
    every = all_numbers(connection)
    assert every.tolist() == [1, 3]
    numbers = Column(connection, "n", NUMBER, every, dates=False)
    assert numbers.positions(Range("n", NUMBER, (("gt", 0),))).tolist() == [0]
    strings = Column(connection, "s", STRING, every, dates=False)
    assert set(strings.positions(Range("s", STRING, (("gte", "2"),))).tolist()) == {0, 1}
    dates = Column(connection, "s", STRING, every, dates=True)
    assert dates.positions(Dated("s", (("gt", 0),))).tolist() == [1]
    empty = Column(connection, "none", BOOLEAN, np.empty(0, dtype=np.int64), dates=False)
    assert len(empty.positions(Range("none", BOOLEAN, ()))) == 0
    connection.close()


def test_work_for_many_unknown_fields_is_bounded():
    """Known names are read once, and only a few similar names are searched for."""
    connection = database([{f"some_field_{i}": 1 for i in range(300)}])
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    warnings = unknown_fields(
        connection, parse_filter({f"some_feild_{i}": 1 for i in range(1_000)})
    )
    assert len(warnings) == 11
    assert "some_feild_0'; did you mean 'some_field_0'?" in warnings[0]
    assert warnings[-1] == "filter: no document has 990 other fields of this filter"
    assert len([sql for sql in statements if "RECURSIVE" in sql]) == 1
    connection.close()
