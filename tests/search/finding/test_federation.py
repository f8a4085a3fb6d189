"""Searches over several collections against a merged list computed the long way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import twindex
from twindex.core import Document, InvalidInputError, NotFoundError
from twindex.core.results import FederatedResult
from twindex.search import Collection, FederatedRequest, federated_search

LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}
WORDS = ("bird", "kiwi", "wing", "fly", "egg")


def made(folder: Path, stored: dict[str, list[Document]]) -> dict[str, Collection]:
    collections = {}
    for name, documents in stored.items():
        collections[name] = twindex.create(folder / name, LEXICAL)
        collections[name].add(documents)
    return collections


@pytest.fixture
def pair(tmp_path):
    stored = {
        "sea": [
            Document("gull", "bird wing fly", metadata={"year": 2001, "tags": ["coast"]}),
            Document("auk", "bird wing bird wing", metadata={"year": 1999, "tags": ["coast"]}),
            Document("eel", "egg"),
        ],
        "land": [
            Document("kiwi", "bird kiwi egg", metadata={"year": 1813, "tags": ["wood", "coast"]}),
            Document("rhea", "bird", metadata={"year": "unknown"}),
        ],
    }
    collections = made(tmp_path, stored)
    yield collections
    for collection in collections.values():
        collection.close()


def shown(result: FederatedResult) -> list[tuple[str, str, int]]:
    return [(one.collection, one.hit.id, one.rank) for one in result]


def test_hits_are_merged_by_their_ranks(pair):
    found = federated_search(pair, "bird wing")
    own = {name: [hit.id for hit in one.search("bird wing")] for name, one in pair.items()}
    assert shown(found) == [
        ("sea", own["sea"][0], 1),
        ("land", own["land"][0], 1),
        ("sea", own["sea"][1], 2),
        ("land", own["land"][1], 2),
    ]
    assert [one.score for one in found] == [1 / 61, 1 / 61, 1 / 62, 1 / 62]
    assert (found.total, found.relation, len(found)) == (4, "eq", 4)
    assert [(one.name, one.total, one.error) for one in found.collections] == [
        ("sea", 2, None),
        ("land", 2, None),
    ]


def test_weights_order_collections(pair):
    collections = [{"name": "sea", "weight": 0.1}, "land"]
    found = federated_search(pair, "bird wing", collections=collections)
    assert [one.collection for one in found] == ["land", "land", "sea", "sea"]


def test_scores_are_compared_only_on_request(pair):
    found = federated_search(pair, "bird wing", merge="score")
    scores = [one.score for one in found]
    assert scores == sorted((one.hit.score for one in found), reverse=True)
    with pytest.raises(InvalidInputError, match="set `merge` to"):
        federated_search(pair, "bird", sort=["_score"])
    found = federated_search(
        pair, "bird wing", merge="score", sort=[{"field": "_score", "order": "asc"}]
    )
    assert [one.score for one in found] == sorted(scores)


def test_fields_order_hits_across_collections(pair):
    found = federated_search(pair, "bird", sort=["-year"], include=["text"])
    assert [one.hit.id for one in found] == ["rhea", "gull", "auk", "kiwi"]
    assert {hit.hit.text != "" for hit in found} == {True}
    assert all(hit.hit.metadata == {} for hit in found)
    found = federated_search(pair, sort=["year", "id"], include=[])
    assert [one.hit.id for one in found] == ["kiwi", "auk", "gull", "rhea", "eel"]
    assert {one.hit.document for one in found} == {None}


def test_counts_of_facets_are_added(pair):
    facets = ["tags", {"field": "year", "ranges": [{"lt": 2000}, {"gte": 2000}]}]
    tags, years = federated_search(pair, "bird", facets=facets, limit=1).facets
    assert [(one.value, one.count) for one in tags.counts] == [("coast", 3), ("wood", 1)]
    assert (tags.distinct, tags.missing) == (2, 1)
    assert [(one.lt, one.gte, one.count) for one in years.counts] == [
        (2000, None, 2),
        (None, 2000, 1),
    ]
    assert (years.minimum, years.maximum) == (1813, 2001)


def test_ranges_of_a_field_without_values_count_no_value(pair):
    facet = {"field": "nothing", "ranges": [{"lt": 2000}]}
    (found,) = federated_search(pair, "bird", facets=[facet]).facets
    assert (found.distinct, found.missing, [one.count for one in found.counts]) == (0, 4, [0])


def test_facets_keep_numbers_and_booleans_apart(tmp_path):
    one, other = ([Document("a", "bird", metadata={"x": value})] for value in (True, 1))
    with made(tmp_path / "1", {"a": one})["a"] as a, made(tmp_path / "2", {"b": other})["b"] as b:
        (facet,) = federated_search({"a": a, "b": b}, "bird", facets=["x"]).facets
    assert [(type(count.value), count.count) for count in facet.counts] == [(int, 1), (bool, 1)]


def test_a_failing_collection_fails_the_search_or_is_left_out(pair):
    pair["sea"].close()
    with pytest.raises(twindex.TwindexError):
        federated_search(pair, "bird")
    found = federated_search(pair, "bird", on_error="skip")
    assert [one.collection for one in found] == ["land", "land"]
    assert found.collections[0].error is not None
    assert found.warnings[0].startswith("sea: left out: ")
    pair["land"].close()
    with pytest.raises(twindex.TwindexError):
        federated_search(pair, "bird", on_error="skip")


def test_wrong_requests_are_named(pair):
    with pytest.raises(NotFoundError, match="'se' was given; did you mean 'sea'"):
        federated_search(pair, "bird", collections=["se"])
    with pytest.raises(InvalidInputError, match=r"collection 'sea': .*dense"):
        federated_search(pair, "bird", legs=["dense"])
    for fields, message in (
        ({"group": "year"}, "`group` is not supported"),
        ({"collections": ["sea", "sea"]}, "got 'sea' twice"),
        ({"collections": []}, "at least 1 item"),
        ({"limit": 1000, "offset": 1}, "`offset` \\+ `limit`"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            FederatedRequest.parse({"query": "bird", "collections": ["sea"], **fields})


documents = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join),
        st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["a", "b"]), st.booleans()),
    ),
    max_size=6,
)


@settings(max_examples=25)
@given(
    st.lists(documents, min_size=1, max_size=3),
    st.sampled_from([(), ("x",), ("-x",), ({"field": "x", "missing": "first"}, "-id")]),
    st.integers(1, 4),
)
def test_pages_are_parts_of_one_list_and_agree_with_one_collection(
    tmp_path_factory, drawn, sort, size
):
    folder = tmp_path_factory.mktemp("federation")
    stored = {
        f"c{i}": [
            Document(f"c{i}-{j}", text, metadata={} if x is None else {"x": x})
            for j, (text, x) in enumerate(each)
        ]
        for i, each in enumerate(drawn)
    }
    collections = made(folder, stored)
    try:
        whole = federated_search(collections, "bird fly", sort=sort, limit=100)
        pages = []
        for offset in range(0, len(whole) + size, size):
            page = federated_search(collections, "bird fly", sort=sort, limit=size, offset=offset)
            pages += shown(page)
        assert pages == shown(whole)
        own = {
            name: [hit.id for hit in one.search("bird fly", sort=sort, limit=100)]
            for name, one in collections.items()
        }
        for name, ids in own.items():
            assert [one.hit.id for one in whole if one.collection == name] == ids
        if sort:  # One collection with all documents has the same order, except for ties.
            every = made(folder, {"all": [one for each in stored.values() for one in each]})["all"]
            with every:
                (facet,) = every.search("bird fly", facets=["x"]).facets
                alone = every.search("bird fly", sort=[*sort, "id"], limit=100)
            merged = federated_search(
                collections, "bird fly", sort=[*sort, "id"], facets=["x"], limit=100
            )
            assert [one.hit.id for one in merged] == [hit.id for hit in alone]
            assert merged.facets == [facet]
    finally:
        for collection in collections.values():
            collection.close()
