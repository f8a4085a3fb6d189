"""Filters: a parsed filter can be shown as JSON that parses to an equal condition."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.core.filters import And, Equal, In, Not, check_selective, parse_filter, show_filter
from twindex.core.filters.conditions import constant
from twindex.core.filters.dates import date_text, instant

words = st.sampled_from(["", "a", "é", "\U0010ffff"])
scalars = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, width=32), words)
scalars = scalars.filter(lambda value: value not in (float("inf"), float("-inf")))
zones = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda m: timezone(timedelta(minutes=m)))
dates = st.datetimes(timezones=zones).map(datetime.isoformat)
bounds = st.sampled_from(["gt", "gte", "lt", "lte"])
tests = st.one_of(
    scalars,
    st.fixed_dictionaries(
        {},
        optional={
            "eq": scalars,
            "ne": scalars,
            "in": st.lists(scalars, max_size=3),
            "contains": st.lists(scalars, max_size=3),
            "prefix": words,
            "exists": st.booleans(),
            "date": st.dictionaries(st.one_of(bounds, st.just("eq")), dates, min_size=1),
            "gte": st.integers(),
            "lt": st.integers(),
        },
    ).filter(bool),
)
filters = st.recursive(
    st.dictionaries(st.sampled_from(["x", "y.z", "id"]), tests, max_size=3),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "and": st.lists(inner, max_size=3),
            "or": st.lists(inner, max_size=3),
            "not": inner,
            "x": tests,
        },
    ),
    max_leaves=6,
)


@given(given=filters)
def test_shown_filter_parses_to_an_equal_condition(given):
    condition = parse_filter(given)
    assert parse_filter(show_filter(condition)) == condition
    assert parse_filter(condition) is condition


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"x": 1, "y": True}, {"x": {"eq": 1}, "y": {"eq": True}}),
        ({"x": {"in": [1, "a"]}}, {"x": {"in": [1, "a"]}}),
        ({"x": {"ne": 1, "exists": False}}, {"and": [{"x": {"ne": 1}}, {"x": {"exists": False}}]}),
        ({"or": [{"x": 1}, {"y": 2}]}, {"or": [{"x": {"eq": 1}}, {"y": {"eq": 2}}]}),
        (
            {"d": {"date": {"gte": "2024-05-01T02:00:00+02:00"}}},
            {"d": {"date": {"gte": "2024-05-01T00:00:00Z"}}},
        ),
        ({}, {"and": []}),
    ],
)
def test_show_filter_gives_the_expected_json(given, shown):
    assert show_filter(parse_filter(given)) == shown


def test_filter_with_the_maximum_of_conditions_can_be_shown():
    for one in (
        {"and": [{"not": {"x": i}} for i in range(500)]},
        {f"x{i}": {"ne": i} for i in range(1_000)},
        {"x": {"contains": list(range(1_000))}},
    ):
        condition = parse_filter(one)
        assert parse_filter(show_filter(condition)) == condition


@given(at=st.datetimes(timezones=zones))
def test_date_text_is_the_inverse_of_instant(at):
    found = instant(at.isoformat())
    assert found is not None
    assert instant(date_text(found)) == found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"or": []}, False),
        ({"not": {"or": []}}, True),
        ({"x": {"in": []}}, False),
        ({"x": {"contains": []}}, True),
        ({"or": [{"x": 1}, {}]}, True),
        ({"and": [{"x": 1}, {"or": []}]}, False),
        ({"and": [{"x": 1}, {}]}, None),
        ({"not": {"x": 1}}, None),
    ],
)
def test_constant_finds_conditions_independent_of_the_document(given, expected):
    assert constant(parse_filter(given)) is expected


@pytest.mark.parametrize(
    ("given", "selective"),
    [
        ({}, False),
        ({"or": []}, False),
        ({"and": [{"or": []}]}, False),
        ({"x": {"contains": []}}, False),
        ({"or": [{"x": 1}, {}]}, False),
        ({"id": {"gte": ""}}, False),
        ({"id": {"gt": ""}}, False),
        ({"id": {"gte": "", "gt": ""}}, False),
        ({"id": {"ne": ""}}, False),
        ({"not": {"id": ""}}, False),
        ({"not": {"id": {"lt": ""}}}, False),
        ({"not": {"id": {"lte": ""}}}, False),
        ({"id": {"lte": ""}}, True),
        ({"id": {"gt": "a", "gte": ""}}, True),
        ({"id": {"gte": "", "lt": "b"}}, True),
        ({"id": {"gte": "a"}}, True),
        ({"title": {"gt": ""}}, True),
        ({"x": {"in": []}}, True),
        ({"or": [{"x": 1}, {"or": []}]}, True),
    ],
)
def test_filter_for_deletion_must_be_selective(given, selective):
    if selective:
        check_selective(parse_filter(given))
    else:
        with pytest.raises(InvalidInputError, match="it could delete everything"):
            check_selective(parse_filter(given))


def test_none_parses_to_no_condition():
    assert parse_filter(None) is None
    with pytest.raises(InvalidInputError, match="must be an object"):
        parse_filter("year")
    assert parse_filter({"x": {"in": [1, "a"]}}) == In("x", ((0, 1), (1, "a")))
    assert parse_filter({"not": {"x": {"contains": [1, 2]}}}) == Not(
        And((Equal("x", 0, 1), Equal("x", 0, 2)))
    )


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_instants_just_outside_the_calendar_are_shown(text: str) -> None:
    condition = parse_filter({"d": {"date": text}})
    assert condition is not None
    assert parse_filter(show_filter(condition)) == condition
