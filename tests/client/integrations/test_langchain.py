"""The LangChain adapters, with a local collection and with a service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

import twindex
from twindex.integrations.langchain import TwindexReranker, TwindexRetriever, TwindexVectorStore
from twindex.rerank import parse_spec

from .conftest import BIRDS, TEXTS, VECTORS
from .test_langchain_standard import UnitEmbedding


def test_a_hit_keeps_its_id_metadata_and_details(birds):
    first, *_ = TwindexRetriever(collection=birds, k=2).invoke("kiwi")
    hit = birds.search("kiwi", limit=2).hits[0]
    assert (first.id, first.page_content) == ("kiwi", "The kiwi cannot fly.")
    details = first.metadata.pop("twindex")
    assert first.metadata == {"title": "Kiwi", "year": 1813}
    assert (details["id"], details["score"]) == ("kiwi", pytest.approx(hit.score))
    assert details["legs"]["lexical"]["rank"] == 1


def test_a_passage_has_its_place_in_the_document(make):
    sentences = [f"Bird {n} lives on island {n} and eats {n} seeds. " * 12 for n in range(30)]
    text = "\f".join(["# Islands\n\n" + "".join(sentences[:15]), "".join(sentences[15:])])
    collection = make()
    collection.add([{"id": "long", "text": text}])
    for content in ("passage", "context", "document"):
        retriever = TwindexRetriever(
            collection=collection, content=content, options={"neighbours": 1}
        )
        (found,) = retriever.invoke("island 22")
        hit = collection.search("island 22", neighbours=1).hits[0]
        expected = {"passage": hit.passage_text, "context": hit.context_text, "document": text}
        assert found.page_content == expected[content]
        details = found.metadata["twindex"]
        if content == "document":
            assert "start" not in details
        else:
            assert text[details["start"] : details["end"]] == found.page_content
        assert (details["page"], details["headings"]) == (hit.page, list(hit.headings))


def test_retriever_passes_every_field_of_a_search(birds):
    retriever = TwindexRetriever(
        collection=birds,
        k=3,
        filter={"year": {"exists": True}},
        legs=["lexical"],
        rerank={"model": "fast"},
        options={"feedback": "rm3"},
    )
    found = retriever.invoke("emu fly")
    assert [one.id for one in found] == ["emu", "kiwi"]
    assert found[0].metadata["twindex"]["rerank"] == {
        "rank": 1,
        "previous": 1,
        "score": 0.5,
        "judged": True,
    }
    assert {*found[0].metadata["twindex"]["legs"]} == {"lexical"}
    assert [one.id for one in retriever.invoke("fly", filter={"year": 1790}, k=1)] == ["emu"]
    assert retriever.invoke("fly", filter={"year": 1}, content="document") == []
    assert asyncio.run(retriever.ainvoke("emu fly")) == found
    assert retriever.batch(["emu fly"]) == [found]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"no_such_field": 1}, "no_such_field"),
        ({"limit": 3}, "limit"),
        ({"include": ["title"]}, "include"),
        ({"k": 0}, "k"),
        ({"k": 5_000}, "k"),
        ({"content": "page"}, "content"),
        ({"filter": {"year": {"$eq": 1790}}}, "filter.year"),
        ({"filter": "year = 1790"}, "filter"),
    ],
)
def test_what_a_search_cannot_do_is_refused_by_name(birds, given, field):
    retriever = TwindexRetriever(collection=birds)
    with pytest.raises(twindex.InvalidInputError) as wrong:
        retriever.invoke("fly", **given)
    assert wrong.value.field == field
    store = TwindexVectorStore(birds)
    if field != "content":
        with pytest.raises(twindex.InvalidInputError) as wrong:
            store.similarity_search("fly", **given)
        assert wrong.value.field == field


def test_another_object_is_no_collection():
    for wrong in ("birds", None, twindex.Collection):
        with pytest.raises(twindex.InvalidInputError, match="collection: must be a "):
            TwindexRetriever(collection=wrong)
        with pytest.raises(twindex.InvalidInputError, match="collection: must be a "):
            TwindexVectorStore(wrong)


def test_vector_store_keeps_documents_whole(make):
    collection = make()
    store = TwindexVectorStore(collection)
    given = [
        Document("The kiwi cannot fly.", id="kiwi", metadata={"title": "Kiwi", "year": 1813}),
        Document("Swifts sleep.", metadata={"nested": {"tags": ["a", "b"]}, "none": None}),
    ]
    ids = store.add_documents(given)
    assert ids[0] == "kiwi"
    assert collection.get("kiwi").title == "Kiwi"
    again = store.get_by_ids([ids[1], "unknown", "kiwi"])
    assert [one.metadata for one in again] == [given[1].metadata, given[0].metadata]
    assert [one.id for one in again] == [ids[1], "kiwi"]
    (found, score), *_ = store.similarity_search_with_score("kiwi", k=1)
    assert found == given[0]
    assert score == pytest.approx(collection.search("kiwi").hits[0].score)
    store.add_documents(TwindexRetriever(collection=collection).invoke("kiwi"))
    assert store.get_by_ids(["kiwi"]) == [given[0]]
    assert "twindex" not in collection.get("kiwi").metadata


def test_from_texts_and_deletions(make):
    collection = make()
    store = TwindexVectorStore.from_texts(
        ["one", "two", "three"],
        None,
        [{"n": 1}, {"n": 2}, {"n": 3}],
        ids=["a", "b", "c"],
        collection=collection,
    )
    more = asyncio.run(TwindexVectorStore.afrom_texts(["four"], ids=["d"], collection=collection))
    assert more.delete(["a", "unknown"]) is True
    assert store.delete(filter={"n": {"gte": 3}}) is True
    assert [one.id for one in collection.scan()] == ["b", "d"]
    documents = TwindexVectorStore.from_documents(
        [Document("five", id="e")], None, collection=collection
    )
    assert [one.id for one in documents.get_by_ids(["e"])] == ["e"]
    for wrong in ({}, {"ids": ["b"], "filter": {"n": 2}}, {"ids": "b"}, {"ids": ["b"], "soft": 1}):
        with pytest.raises(twindex.InvalidInputError):
            store.delete(**wrong)
    assert collection.count() == 3
    with pytest.raises(twindex.InvalidInputError, match="metadatas: must have one entry"):
        store.add_texts(["one"], [{}, {}])
    with pytest.raises(twindex.InvalidInputError, match="ids: must have one id"):
        store.add_texts(["one"], ids=["a", "b"])
    with pytest.raises(twindex.InvalidInputError, match="collection: must be"):
        TwindexVectorStore.from_texts(["one"])


def test_thousand_ids_are_read_in_parts(make):
    store = TwindexVectorStore(make({"legs": {"lexical": {"kind": "lexical"}}}))
    ids = [f"größe/{number:04}?" for number in range(1_000)]
    store.add_texts([f"text {id_}" for id_ in ids], ids=ids)
    assert [one.id for one in store.get_by_ids(ids[::-1])] == ids[::-1]


def test_search_by_vector_uses_the_leg_of_the_embeddings(make):
    embedding = UnitEmbedding()
    store = TwindexVectorStore(make(VECTORS), embedding=embedding, leg="dense")
    assert store.embeddings is embedding
    store.add_texts(["one", "two"], ids=["a", "b"])
    (found,) = store.similarity_search_by_vector(embedding.embed_query("two"), k=1)
    assert found.id == "b"
    (found,) = asyncio.run(store.asimilarity_search_by_vector(embedding.embed_query("one"), k=1))
    assert found.id == "a"
    text_only = TwindexVectorStore(make(TEXTS))
    with pytest.raises(twindex.InvalidInputError, match="leg: a search by vector needs"):
        text_only.similarity_search_by_vector([1.0] * 6)
    with pytest.raises(twindex.InvalidInputError, match="leg: name the dense leg"):
        TwindexVectorStore(make(VECTORS), embedding=embedding)


def test_mmr_and_unscaled_relevance_are_refused_by_name(birds):
    store = TwindexVectorStore(birds, options={"rerank": {"model": "fast"}})
    for refused in (
        lambda: store.max_marginal_relevance_search("fly"),
        lambda: store.max_marginal_relevance_search_by_vector([1.0]),
        lambda: asyncio.run(store.amax_marginal_relevance_search("fly")),
        lambda: store.as_retriever(search_type="mmr"),
        lambda: store.search("fly", "mmr"),
    ):
        with pytest.raises(twindex.UnsupportedError, match="'mmr' is not supported; configure"):
            refused()
    with pytest.raises(twindex.UnsupportedError, match="pass `relevance`"):
        store.similarity_search_with_relevance_scores("fly")
    with pytest.raises(twindex.UnsupportedError, match="pass `relevance`"):
        store.as_retriever(search_type="similarity_score_threshold")
    scaled = TwindexVectorStore(birds, relevance=lambda score: score / 2)
    retriever = scaled.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.4, "k": 3}
    )
    assert [one.id for one in retriever.invoke("kiwi")] == ["kiwi"]
    plain = store.as_retriever(search_kwargs={"k": 1, "filter": {"year": 1790}})
    assert [one.id for one in plain.invoke("fly")] == ["emu"]


DOCUMENTS = [
    Document("Swifts sleep.", id="swift"),
    Document("It cannot fly.", id="kiwi", metadata={"title": "Kiwi"}),
    Document("The emu runs.", id="emu"),
]


def test_reranker_orders_documents(reranker):
    compressor = TwindexReranker(**reranker, top_n=2)
    found = compressor.compress_documents(DOCUMENTS, "kiwi fly.")
    assert [one.id for one in found] == ["kiwi", "swift"]
    assert found[0].metadata == {"title": "Kiwi", "relevance_score": 1.0}
    assert DOCUMENTS[1].metadata == {"title": "Kiwi"}
    assert asyncio.run(compressor.acompress_documents(DOCUMENTS, "kiwi fly.")) == found
    assert compressor.compress_documents([], "kiwi") == []
    few = TwindexReranker(**reranker, calls=1).compress_documents(DOCUMENTS, "emu")
    assert [one.metadata.get("twindex") for one in few] == [None, *[{"judged": False}] * 2]


def test_a_failed_reranker_raises_or_keeps_the_order(service):
    local = parse_spec("fake").model_copy(update={"fails_at": 0}).load()
    with twindex.Client(service) as client:
        for given in ({"reranker": local}, {"reranker": client, "model": "broken"}):
            with pytest.raises(twindex.ModelError, match="fails at hit 0"):
                TwindexReranker(**given).compress_documents(DOCUMENTS, "kiwi")
            kept = TwindexReranker(**given, on_error="keep").compress_documents(DOCUMENTS, "kiwi")
            assert [one.id for one in kept] == ["swift", "kiwi", "emu"]


def test_arguments_of_a_reranker_are_checked(service):
    local = parse_spec("fake").load()
    stored = parse_spec("leg:dense").load()
    with twindex.Client(service) as client:
        for given, field in (
            ({"reranker": "fast"}, "reranker"),
            ({"reranker": local, "model": "fast"}, "model"),
            ({"reranker": client}, "model"),
            ({"reranker": local, "top_n": 0}, "top_n"),
        ):
            with pytest.raises(twindex.InvalidInputError) as wrong:
                TwindexReranker(**given)
            assert wrong.value.field == field
        with pytest.raises(twindex.InvalidInputError, match="reads what a collection stores"):
            TwindexReranker(reranker=stored).compress_documents(DOCUMENTS, "kiwi")
        with pytest.raises(twindex.InvalidInputError, match="model: "):
            TwindexReranker(reranker=client, model="none").compress_documents(DOCUMENTS, "kiwi")


def test_misspelled_arguments_and_wrong_limits_are_named(birds, reranker):
    with pytest.raises(ValueError, match="no_such_field"):
        TwindexRetriever(collection=birds, no_such_field=1)
    with pytest.raises(ValueError, match="top_k"):
        TwindexReranker(**reranker, top_k=1)
    for field in ("timeout_ms", "calls", "tokens"):
        compressor = TwindexReranker(**reranker, **{field: -1})
        with pytest.raises(twindex.InvalidInputError) as wrong:
            compressor.compress_documents(DOCUMENTS, "kiwi")
        assert wrong.value.field == field


def test_async_client_is_used_without_threads(service):
    async def use() -> list[Any]:
        async with twindex.AsyncClient(service) as client:
            collection = await client.create("langchain-async", TEXTS)
            await collection.add(BIRDS)
            retriever = TwindexRetriever(collection=collection, k=1)
            with pytest.raises(twindex.InvalidInputError, match="has only asynchronous methods"):
                retriever.invoke("kiwi")
            compressor = TwindexReranker(reranker=client, model="fast")
            with pytest.raises(twindex.InvalidInputError, match="has only asynchronous methods"):
                compressor.compress_documents(DOCUMENTS, "kiwi")
            found = await retriever.ainvoke("kiwi")
            await client.drop("langchain-async")
            return [*found, *await compressor.acompress_documents(DOCUMENTS, "kiwi")]

    assert [one.id for one in asyncio.run(use())] == ["kiwi", "kiwi", "swift", "emu"]


def test_errors_of_the_collection_reach_the_application(birds):
    with pytest.raises(twindex.InvalidInputError) as wrong:
        TwindexVectorStore(birds).add_documents([Document("x", metadata={"when": object()})])
    assert "documents[0]" in str(wrong.value)
    with pytest.raises(twindex.InvalidInputError, match=r"documents\[0\]: must be a Document"):
        TwindexVectorStore(birds).add_documents(["text"])


def test_a_chain_with_retriever_and_prompt(birds):
    prompt = ChatPromptTemplate.from_template("{context}\n\n{question}")
    chain = (
        {
            "context": TwindexRetriever(collection=birds, k=1)
            | (lambda found: "\n".join(one.page_content for one in found)),
            "question": RunnablePassthrough(),
        }
        | prompt
        | RunnableLambda(lambda given: given.to_messages()[0].content.upper())
        | StrOutputParser()
    )
    assert chain.invoke("Which kiwi?") == "THE KIWI CANNOT FLY.\n\nWHICH KIWI?"
