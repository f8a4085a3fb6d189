"""Filters inside a query text: what is read, what stays, and the round trip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core.filters import (
    BOOLEAN,
    NUMBER,
    STRING,
    And,
    Condition,
    Dated,
    Equal,
    Exists,
    In,
    Not,
    Or,
    Prefix,
    Range,
    parse_filter,
    read_filters,
    write_filters,
)
from twindex.core.filters.dates import instant

FIELDS = {
    "year": {NUMBER},
    "author": {STRING},
    "author.name": {STRING},
    "day": {STRING},
    "open": {BOOLEAN},
    "code": {NUMBER, STRING},
}


@pytest.mark.parametrize(
    ("query", "rest", "expected"),
    [
        ("bridges year:>2019", "bridges", {"year": {"gt": 2019}}),
        ("year:>=2019 bridges", "bridges", {"year": {"gte": 2019}}),
        ("year:2019", "", {"year": 2019}),
        ("year:-3.5", "", {"year": -3.5}),
        ("a year:1990..2000 b", "a b", {"year": {"gte": 1990, "lte": 2000}}),
        ("year:1990..", "", {"year": {"gte": 1990}}),
        ("year:..2000", "", {"year": {"lte": 2000}}),
        ("bridges in year:2019?", "bridges in ?", {"year": 2019}),
        ("from year:2019.", "from .", {"year": 2019}),
        ("(year:2019)", "(year:2019)", None),
        ("year:1,2,3", "", {"year": {"in": [1, 2, 3]}}),
        ('author:"Ada Smith" x', "x", {"author": "Ada Smith"}),
        (r'author:"a \"b\" \\"', "", {"author": 'a "b" \\'}),
        ('author:smith,"Van Dyk"', "", {"author": {"in": ["smith", "Van Dyk"]}}),
        ("author:smi*", "", {"author": {"prefix": "smi"}}),
        ("author:*", "", {"author": {"exists": True}}),
        ("-author:*", "", {"author": {"exists": False}}),
        ("-author:smith", "", {"author": {"ne": "smith"}}),
        ("-year:>3", "", {"not": {"year": {"gt": 3}}}),
        ("author.name:x", "", {"author.name": "x"}),
        ("open:true", "", {"open": True}),
        ("id:d1 title:Emu", "", {"id": "d1", "title": "Emu"}),
        ("code:7", "", {"code": {"in": [7, "7"]}}),
        ('code:"7"', "", {"code": "7"}),
        ("author:m..p", "", {"author": {"gte": "m", "lte": "p"}}),
        ("day:>2024-05-01", "", {"day": {"date": {"gt": "2024-05-01"}}}),
        (
            "day:2024-05-01..2024-06-01",
            "",
            {"day": {"date": {"gte": "2024-05-01", "lte": "2024-06-01"}}},
        ),
        ("year:>1 year:<9", "", {"and": [{"year": {"gt": 1}}, {"year": {"lt": 9}}]}),
        # Stays text:
        ("yaer:2019 x", "yaer:2019 x", None),
        ("year: 2019", "year: 2019", None),
        ("year:soon", "year:soon", None),
        ("year:1,soon", "year:1,soon", None),
        ("open:yes", "open:yes", None),
        ('"year:2019" x', '"year:2019" x', None),
        ("http://year:80/", "http://year:80/", None),
        ("year:?", "year:?", None),
        ("year:1e999", "year:1e999", None),
        ("author:a,,b", "author:a,,b", None),
        ('author:"open', 'author:"open', None),
        ("birthyear:2019", "birthyear:2019", None),
        ("  two  spaces ", "  two  spaces ", None),
    ],
)
def test_what_is_read(query, rest, expected):
    found, filter_ = read_filters(query, FIELDS)
    assert found == rest
    if expected is None:
        assert filter_ is None
    else:
        assert parse_filter(filter_) == parse_filter(expected)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(st.integers(-(2**40), 2**40), st.floats(-1e30, 1e30))
dates = st.sampled_from(["2024-05-01", "1999-12-31T23:59:59+02:00", "2024-05-01T01:02:03.5Z"])


def bounds(values):
    signs = st.sampled_from(["gt", "gte", "lt", "lte"])
    one = st.tuples(signs, values).map(lambda pair: (pair,))
    both = st.tuples(values, values).map(lambda pair: (("gte", pair[0]), ("lte", pair[1])))
    return st.one_of(one, both)


def is_text(found) -> bool:
    return not all(instant(value) is not None for _, value in found)


simple = st.one_of(
    st.builds(Equal, st.just("year"), st.just(NUMBER), numbers),
    st.builds(Equal, st.sampled_from(["author", "id"]), st.just(STRING), texts),
    st.builds(Equal, st.just("open"), st.just(BOOLEAN), st.integers(0, 1)),
    st.builds(
        lambda values: In("author", tuple((STRING, value) for value in values)),
        st.lists(texts, min_size=2, max_size=4),
    ),
    st.builds(Range, st.just("year"), st.just(NUMBER), bounds(numbers)),
    st.builds(Range, st.just("author"), st.just(STRING), bounds(texts).filter(is_text)),
    st.builds(lambda found: Dated("day", found), bounds(dates.map(instant))),
    st.builds(lambda text: Prefix("author", text), st.text("abcé9", min_size=1, max_size=5)),
    st.builds(Exists, st.sampled_from(["author", "year", "author.name"])),
)
negated = st.one_of(simple, simple.map(Not))


@given(st.lists(negated, min_size=1, max_size=4))
def test_what_is_written_is_read_again(parts: list[Condition]) -> None:
    condition = parts[0] if len(parts) == 1 else And(tuple(parts))
    written = write_filters(condition)
    rest, found = read_filters(f"one {written} two", FIELDS)
    assert rest == "one two"
    assert found is not None
    assert parse_filter(found) == condition


@given(st.text(max_size=60))
def test_text_without_known_fields_is_unchanged(text: str) -> None:
    assert read_filters(text, {}) == (text, None) or "id:" in text or "title:" in text


@given(st.lists(st.sampled_from(['"', ":", "-", "year", "author", ">", "1", ",", "..", "*", "\\",
                                 " "]), max_size=25))  # fmt: skip
def test_any_text_is_read_without_an_error(pieces: list[str]) -> None:
    text = "".join(pieces)
    rest, found = read_filters(text, FIELDS)
    assert (rest == text) == (found is None)
    parse_filter(found)


def test_at_most_a_hundred_conditions_are_read():
    rest, found = read_filters(" ".join(["-year:1"] * 103), FIELDS)
    assert rest.split() == ["-year:1"] * 3
    assert len(found["and"]) == 100


def test_conditions_without_a_text_form_are_refused():
    for condition in (
        Or((Exists("year"),)),
        Not(Not(Exists("year"))),
        In("author", ()),
        And(()),
        Exists("a field"),
        Prefix("author", "a b"),
        Range("author", STRING, (("gt", "2024-05-01"),)),
        Range("year", NUMBER, (("gt", 1), ("lt", 2))),
    ):
        with pytest.raises(ValueError, match=r"text form"):
            write_filters(condition)
