"""Merge patches of metadata, with the examples of RFC 7396."""

from __future__ import annotations

import pytest

from twindex.core import InvalidInputError
from twindex.search.writing.changing.merging import checked_patch, merged


@pytest.mark.parametrize(
    ("stored", "patch", "wanted"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_examples_of_rfc_7396(stored, patch, wanted):
    before = repr(stored)
    assert merged(stored, patch) == wanted
    assert repr(stored) == before


@pytest.mark.parametrize("value", [float("nan"), 1 << 63, {7: 1}, {"": 1}, object(), "\ud800"])
def test_a_value_that_metadata_cannot_have_is_refused(value):
    with pytest.raises(InvalidInputError) as wrong:
        checked_patch({"a": value})
    assert wrong.value.field.startswith("metadata.a")
