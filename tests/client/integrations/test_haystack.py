"""The Haystack components, with a local collection and with a service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.components.builders import PromptBuilder
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream, SparseEmbedding
from haystack.document_stores.types import DuplicatePolicy
from haystack.utils import Secret

import twindex
from twindex.integrations.haystack import (
    TwindexDocumentStore,
    TwindexEmbeddingRetriever,
    TwindexRanker,
    TwindexRetriever,
)

from .conftest import BIRDS, TEXTS, VECTORS

SPARSE = {"kind": "sparse", "encoder": {"kind": "external-sparse", "dimensions": 10}}


def ids(found: dict[str, Any]) -> list[str]:
    return [one.id for one in found["documents"]]


def test_a_hit_keeps_its_id_meta_and_details(birds):
    retriever = TwindexRetriever(TwindexDocumentStore(birds), top_k=2)
    first, _ = retriever.run("kiwi")["documents"]
    hit = birds.search("kiwi", limit=2).hits[0]
    assert (first.id, first.content) == ("kiwi", "The kiwi cannot fly.")
    assert first.score == pytest.approx(hit.score)
    details = first.meta.pop("twindex")
    assert first.meta == {"title": "Kiwi", "year": 1813}
    assert (details["id"], details["score"]) == ("kiwi", first.score)
    assert ids(asyncio.run(retriever.run_async("kiwi", top_k=1))) == ["kiwi"]


def test_retriever_passes_every_field_of_a_search(birds):
    early = {"field": "meta.year", "operator": "<", "value": 1800}
    known = {"field": "meta.year", "operator": "!=", "value": None}
    retriever = TwindexRetriever(
        TwindexDocumentStore(birds),
        filters=early,
        legs=["lexical"],
        rerank={"model": "fast"},
        options={"feedback": "rm3"},
    )
    (found,) = retriever.run("emu fly")["documents"]
    assert found.meta["twindex"]["rerank"]["score"] == 0.5
    assert {*found.meta["twindex"]["legs"]} == {"lexical"}
    assert ids(retriever.run("fly", filters=known)) == ["kiwi", "emu"]
    merging = TwindexRetriever(
        TwindexDocumentStore(birds), filters=early, filter_policy="merge", content="document"
    )
    later = {"field": "meta.name", "operator": "==", "value": None}
    assert ids(merging.run("fly", filters=later)) == ["emu"]


def test_wrong_arguments_are_refused(birds):
    store = TwindexDocumentStore(birds)
    for given, field in (
        ({"top_k": 0}, "top_k"),
        ({"options": {"limit": 3}}, "limit"),
        ({"options": {"no_such_field": 3}}, "no_such_field"),
        ({"filters": "year"}, "filters"),
        ({"content": "page"}, "content"),
    ):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            TwindexRetriever(store, **given).run("fly")
        assert wrong.value.field == field
    with pytest.raises(twindex.InvalidInputError, match="document_store: must be a Twindex"):
        TwindexRetriever(birds)
    with pytest.raises(twindex.InvalidInputError, match="query_embedding: set `embedding_leg`"):
        TwindexRetriever(store).run("fly", query_embedding=[1.0])
    for given in ({"url": "http://127.0.0.1:1"}, {"config": TEXTS}):
        with pytest.raises(twindex.InvalidInputError, match="given by its name; remove it"):
            TwindexDocumentStore(birds, **given)


def test_embeddings_are_stored_and_searched_in_their_legs(make):
    config = {"legs": {**VECTORS["legs"], "terms": SPARSE}}
    store = TwindexDocumentStore(make(config), embedding_leg="dense", sparse_embedding_leg="terms")
    one, two = [1.0, 0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0, 0]
    store.write_documents(
        [
            Document(
                id="a",
                content="first",
                embedding=one,
                sparse_embedding=SparseEmbedding([1], [1.0]),
            ),
            Document(
                id="b",
                content="second",
                embedding=two,
                sparse_embedding=SparseEmbedding([3], [2.0]),
            ),
        ]
    )
    retriever = TwindexEmbeddingRetriever(store, top_k=1)
    assert ids(retriever.run([0, 2.0, 0, 0, 0, 0])) == ["b"]
    assert ids(asyncio.run(retriever.run_async(one))) == ["a"]
    assert ids(TwindexRetriever(store).run("first", query_embedding=two)) == ["a", "b"]
    found = store.collection.search(vectors={"terms": {"indices": [3], "values": [1.0]}})
    assert [hit.id for hit in found] == ["b"]
    with pytest.raises(twindex.InvalidInputError, match="is required, because leg"):
        store.write_documents([Document(id="c", content="third")])


def test_documents_that_cannot_be_stored_are_refused_by_name(birds):
    store = TwindexDocumentStore(birds)
    for wrong, named in (
        (Document(content="a", embedding=[1.0]), r"documents\[1\].embedding: the document store"),
        (Document(content="a", sparse_embedding=SparseEmbedding([1], [1.0])), "sparse_embedding:"),
        (Document(content=None, meta={"a": 1}), r"documents\[1\].content: a document must have"),
        (Document(content="a", blob=ByteStream(b"x")), r"documents\[1\].blob: only texts"),
        ("text", r"documents\[1\]: must be a Document of Haystack, got 'text'"),
    ):
        with pytest.raises(twindex.InvalidInputError, match=named) as caught:
            store.write_documents([Document(content="fine"), wrong])
        assert isinstance(caught.value, ValueError)
    assert store.count_documents() == 3


def test_policies_for_duplicates_inside_one_call(make):
    store = TwindexDocumentStore(make())
    twice = [Document(id="a", content="old"), Document(id="a", content="new")]
    assert store.write_documents(twice, DuplicatePolicy.SKIP) == 1
    assert store.filter_documents()[0].content == "old"
    assert store.write_documents(twice, DuplicatePolicy.OVERWRITE) == 2
    assert store.filter_documents()[0].content == "new"
    store.delete_by_filter({"field": "id", "operator": "==", "value": "a"})
    with pytest.raises(Exception, match="ID 'a' already exists"):
        store.write_documents(twice, DuplicatePolicy.FAIL)
    assert store.count_documents() == 0
    with pytest.raises(twindex.InvalidInputError, match="matches every document"):
        store.delete_by_filter({})


DOCUMENTS = [
    Document(id="swift", content="Swifts sleep."),
    Document(id="kiwi", content="It cannot fly.", meta={"title": "Kiwi"}),
    Document(id="emu", content="The emu runs."),
]


def test_ranker_orders_documents(reranker):
    ranker = TwindexRanker(**reranker, top_k=2)
    found = ranker.run("kiwi fly.", DOCUMENTS)
    assert [(one.id, one.score) for one in found["documents"]] == [("kiwi", 1.0), ("swift", 0.0)]
    assert DOCUMENTS[1].score is None
    assert ids(asyncio.run(ranker.run_async("kiwi fly.", DOCUMENTS, top_k=1))) == ["kiwi"]
    assert ranker.run("kiwi", []) == {"documents": []}
    with pytest.raises(twindex.InvalidInputError, match=r"documents\[0\].content"):
        ranker.run("kiwi", [Document(content=None)])
    with pytest.raises(twindex.InvalidInputError, match="cannot be saved with a pipeline"):
        ranker.to_dict()
    for given, field in (({"model": "fast"}, "model"), ({"url": "http://a"}, "url")):
        name = "fake" if field == "model" else reranker["reranker"]
        with pytest.raises(twindex.InvalidInputError) as wrong:
            TwindexRanker(name, **given)
        assert wrong.value.field == field


def pipelines(store: TwindexDocumentStore, ranker: TwindexRanker) -> tuple[Pipeline, Pipeline]:
    writing, asking = Pipeline(), Pipeline()
    writing.add_component("writer", DocumentWriter(store, DuplicatePolicy.OVERWRITE))
    asking.add_component("retriever", TwindexRetriever(store, top_k=3))
    asking.add_component("ranker", ranker)
    asking.add_component(
        "prompt",
        PromptBuilder(
            "{% for one in documents %}{{ one.content }}\n{% endfor %}{{ query }}",
            required_variables=["documents", "query"],
        ),
    )
    asking.connect("retriever.documents", "ranker.documents")
    asking.connect("ranker.documents", "prompt.documents")
    return writing, asking


@pytest.mark.parametrize("where", ["local", "service"])
def test_saved_pipelines_run_again(where, service, tmp_path, monkeypatch):
    monkeypatch.setenv("TWINDEX_API_KEY", "a-key")
    if where == "local":
        given = {"collection": str(tmp_path / "birds"), "config": TEXTS}
        ranker = TwindexRanker("fake", top_k=1)
    else:
        given = {"collection": "haystack-birds", "url": service, "config": TEXTS}
        ranker = TwindexRanker("fast", url=service, top_k=1, timeout_ms=60_000)
    store = TwindexDocumentStore(**given)
    saved = [pipeline.dumps() for pipeline in pipelines(store, ranker)]
    assert "a-key" not in "".join(saved)
    assert "TWINDEX_API_KEY" in "".join(saved)
    trusted = ["twindex.integrations.haystack"]
    writing, asking = (Pipeline.loads(text, allowed_modules=trusted) for text in saved)
    documents = [Document(id=one["id"], content=one["text"]) for one in BIRDS]
    assert writing.run({"writer": {"documents": documents}})["writer"]["documents_written"] == 3
    query = {"query": "Which kiwi cannot"}
    given_query = {name: dict(query) for name in ("retriever", "ranker", "prompt")}
    answer = asking.run(given_query)
    assert answer["prompt"]["prompt"] == "The kiwi cannot fly.\nWhich kiwi cannot"
    again = asking.get_component("retriever").document_store
    assert again.to_dict() == store.to_dict()
    assert again.count_documents() == 3
    for one in (again, writing.get_component("writer").document_store, store):
        one.delete_all_documents()
        one.close()
    assert again.count_documents() == 0
    again.close()
    asking.get_component("ranker").close()


def test_keys_that_are_no_variables_are_not_saved(tmp_path):
    store = TwindexDocumentStore("x", url="http://a", api_key=Secret.from_token("key"))
    with pytest.raises(ValueError, match="Cannot serialize token-based secret"):
        store.to_dict()
    with pytest.raises(twindex.InvalidInputError, match="cannot be saved with a pipeline"):
        TwindexDocumentStore(twindex.create(tmp_path / "c", TEXTS)).to_dict()


def test_async_client_in_an_asynchronous_pipeline(service):
    async def use() -> list[str]:
        async with twindex.AsyncClient(service) as client:
            collection = await client.create("haystack-async", TEXTS)
            store = TwindexDocumentStore(collection)
            await store.write_documents_async([Document(id="a", content="The kiwi cannot fly.")])
            with pytest.raises(twindex.InvalidInputError, match="has only asynchronous methods"):
                store.count_documents()
            pipeline = Pipeline()
            pipeline.add_component("retriever", TwindexRetriever(store))
            pipeline.add_component("ranker", TwindexRanker(client, model="fast"))
            pipeline.connect("retriever", "ranker")
            query = {"query": "kiwi"}
            found = await pipeline.run_async({"retriever": query, "ranker": query})
            await client.drop("haystack-async")
            return ids(found["ranker"])

    assert asyncio.run(use()) == ["a"]
