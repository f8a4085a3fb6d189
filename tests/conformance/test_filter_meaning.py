"""Every store selects the documents that meet a filter, evaluated literally."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from twindex.core import Document
from twindex.core.filters import parse_filter
from twindex.search import LegRequest, SearchRequest

from ..house import scaled
from .reference_store import meets
from .stores import STORES, filters, made

VALUES = [
    *(None, True, False, -2, 0, 1, 1.0, 0.5, 2**53 + 1, "a", "ab", "b", "1", "\U0010ffff"),
    *([], [0, 2], ["a", "b"], [True, "ab", 0.5], {"z": 1}, {"z": ["a", -1]}, {"z": {"deep": 0}}),
    *("2024-05-01", "2024-05-01T02:00:00+02:00", "2023-12-31T23:59", "May", ["x", "2024-05-01"]),
]
FIELDS = ["x", "y", "day", "title"]
MIXED = [
    Document(
        f"d{i}",
        "a bird",
        "elk" if i % 3 else "",
        {
            name: VALUES[(i * step) % len(VALUES)]
            for name, step in zip(FIELDS, (1, 5, 7, 11), strict=True)
        },
    )
    for i in range(2 * len(VALUES))
]


@pytest.fixture(scope="module", params=sorted(STORES))
def mixed(request, tmp_path_factory):
    with made(request.param, tmp_path_factory.mktemp("mixed")) as collection:
        collection.add(MIXED)
        yield collection


@given(given=filters)
@settings(max_examples=scaled(300))
def test_filters_select_the_documented_documents(mixed, given):
    condition = parse_filter(given)
    expected = {one.id for one in MIXED if meets(one, condition)}
    assert mixed.count(given) == len(expected)
    assert {one.id for one in mixed.documents(filter=condition)} == expected
    dense = (LegRequest(name="dense"),)
    request = SearchRequest(query="bird", legs=dense, filter=given, limit=100)
    assert {hit.id for hit in mixed.search(request).hits} == expected
