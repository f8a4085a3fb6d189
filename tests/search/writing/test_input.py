"""Every invalid input is refused with a clear error."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from twindex.core import ConfigError, Document, InvalidInputError, NotFoundError
from twindex.encoders import DenseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.search import Collection, SearchRequest, build
from twindex.search.writing.ingest import batches
from twindex.sources import document, read_documents

LEGS = {"dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")), "lexical": LexicalLeg()}


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    with Collection.create(
        tmp_path_factory.mktemp("c") / "c", CollectionConfig(legs=LEGS)
    ) as collection:
        collection.add({"id": str(i), "text": f"kiwi n{i}", "metadata": {"y": i}} for i in range(9))
        yield collection


def nested(levels: int) -> dict[str, Any]:
    condition: dict[str, Any] = {"y": 1}
    for _ in range(levels):
        condition = {"not": condition}
    return condition


@pytest.mark.parametrize(
    "condition",
    [{"y": 10**400}, {"y": "\ud800"}, {"\ud800": 1}, {"y": 1, 2: 3}, nested(100), nested(3_000)],
    ids=["huge", "surrogate", "surrogate key", "mixed keys", "deep", "very deep"],
)
def test_an_invalid_filter_is_refused(collection, condition):
    calls = [
        lambda: collection.count(condition),
        lambda: collection.documents(filter=condition),
        lambda: collection.delete_where(condition),
        lambda: collection.search("kiwi", filter=condition),
    ]
    for call in calls:
        with pytest.raises(InvalidInputError, match="filter"):
            call()
    assert collection.count() == 9


def test_cached_filters_distinguish_equal_looking_values(collection):
    found = [
        [hit.id for hit in collection.search("kiwi", filter={"y": value}).hits]
        for value in (1, "1", True, 1.0, 1)
    ]
    assert found == [["1"], [], [], ["1"], ["1"]]


def test_a_query_with_a_surrogate_is_refused(collection):
    with pytest.raises(InvalidInputError) as caught:
        collection.search("kiwi \ud800")
    assert caught.value.field == "query"
    with pytest.raises(InvalidInputError, match="half of a surrogate pair") as caught:
        collection.answer("kiwi \ud800")
    assert caught.value.field == "question"


def test_impossible_ids_are_not_found(collection):
    with pytest.raises(NotFoundError):
        collection.get("\ud800")
    assert collection.delete(["\ud800"]) == []
    with pytest.raises(InvalidInputError, match="after"):
        collection.documents(after="\ud800")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_page_of_documents_holds_at_least_one(collection, limit):
    with pytest.raises(InvalidInputError) as caught:
        collection.documents(limit=limit)
    assert caught.value.field == "limit"
    assert len(collection.documents(limit=1)) == 1


@pytest.mark.parametrize(
    "document",
    [
        Document(5, "x"),
        Document("", "x"),
        Document("a", None),
        Document("a", "\ud800"),
        Document("a", "x", metadata={"a": {1, 2}}),
        Document("a", "x", metadata={"a": 10**400}),
        Document("a", "x", metadata={"a": [[math.nan]]}),
    ],
)
def test_an_invalid_document_is_refused(collection, document):
    with pytest.raises(InvalidInputError):
        collection.add([document])
    assert collection.count() == 9


@pytest.mark.parametrize("value", [1e19, -1e39, 1e300])
def test_a_vector_that_could_overflow_is_refused(collection, value):
    with pytest.raises(InvalidInputError) as caught:
        collection.search({"vectors": {"dense": [value] * 64}})
    assert caught.value.field == "vectors.dense[0]"
    assert caught.value.message.startswith("must be a number between -1e+18 and 1e+18, got ")


def test_scores_of_large_vectors_and_weights_are_finite(collection):
    request = SearchRequest(vectors={"dense": [1e18, -1e18] * 32})
    assert all(math.isfinite(hit.score) for hit in collection.search(request).hits)
    legs = [{"name": name, "weight": 1e6} for name in LEGS]
    assert all(0 <= hit.score <= 1 for hit in collection.search("kiwi", legs=legs).hits)
    with pytest.raises(ConfigError) as caught:
        collection.search("kiwi", legs=[{"name": "dense", "weight": 1e308}])
    assert caught.value.field == "legs[0].weight"


def test_a_page_deeper_than_every_leg_is_refused(collection):
    shallow, deep = {"name": "dense", "depth": 3}, {"name": "lexical", "depth": 10}
    for fields in (
        {"depth": 3},
        {"depth": 9, "offset": 5, "limit": 5},
        {"legs": [shallow]},
        {"legs": [shallow, {"name": "lexical"}], "depth": 4},
    ):
        with pytest.raises(InvalidInputError, match="`depth`"):
            collection.search("kiwi", **fields)
    assert len(collection.search("kiwi", legs=[shallow, deep]).hits) == 9
    assert len(collection.search("kiwi", depth=3, limit=3).hits) == 3


def test_batch_size_counts_title_and_metadata():
    for part in ({"title": "t" * 600}, {"metadata": {"k": "m" * 600}}, {"text": "x" * 600}):
        given = [{"id": str(i), "text": "x", **part} for i in range(10)]
        pieces = batches(given, max_documents=lambda: 512, characters=1_000)
        assert [len(piece) for piece in pieces] == [2] * 5


@pytest.mark.parametrize("how", ["documents", "mappings", "file"])
def test_each_document_is_checked_once(how, tmp_path, monkeypatch):
    checked = []
    check = document._checked_metadata
    monkeypatch.setattr(
        document, "_checked_metadata", lambda value: checked.append(value) or check(value)
    )
    given = [{"id": str(i), "text": "kiwi", "metadata": {"n": i}} for i in range(5)]
    (tmp_path / "d.jsonl").write_text("\n".join(json.dumps(one) for one in given))
    documents = {
        "documents": [Document(**one) for one in given],
        "mappings": given,
        "file": read_documents(tmp_path / "d.jsonl"),
    }[how]
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    with Collection.create(tmp_path / "c", config) as collection:
        assert collection.add(documents).documents == 5
    assert [one["n"] for one in checked] == [0, 1, 2, 3, 4]
    checked.clear()
    documents = read_documents(tmp_path / "d.jsonl") if how == "file" else documents
    assert build(tmp_path / "b", documents, config).documents == 5
    assert len(checked) == 5
