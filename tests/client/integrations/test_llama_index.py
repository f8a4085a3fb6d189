"""The LlamaIndex adapters, with a local collection and with a service."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import (
    Document,
    ImageNode,
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

import twindex
from twindex.integrations.llama_index import TwindexRerank, TwindexRetriever, TwindexVectorStore

from .conftest import BIRDS, TEXTS, VECTORS

YEARS = MetadataFilters(
    filters=[MetadataFilter(key="year", value=1800, operator=FilterOperator.LT)]
)


class Letters(BaseEmbedding):
    """Embeds a text as the shares of six letters, scaled to length 1."""

    def _get_text_embedding(self, text: str) -> list[float]:
        counts = [1e-3 + text.lower().count(letter) for letter in "kiweus"]
        length = sum(count**2 for count in counts) ** 0.5
        return [count / length for count in counts]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def test_a_hit_becomes_a_node_with_its_document_as_source(birds):
    first, _ = TwindexRetriever(birds, similarity_top_k=2).retrieve("kiwi")
    hit = birds.search("kiwi", limit=2).hits[0]
    assert first.score == pytest.approx(hit.score)
    node = first.node
    assert (node.node_id, node.ref_doc_id, node.text) == ("kiwi", "kiwi", "The kiwi cannot fly.")
    details = node.metadata["twindex"]
    assert (details["id"], details["score"]) == ("kiwi", pytest.approx(hit.score))
    assert node.metadata == {"title": "Kiwi", "year": 1813, "twindex": details}
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        assert node.get_content(metadata_mode=mode) == (
            "title: Kiwi\nyear: 1813\n\nThe kiwi cannot fly."
        )


def test_a_passage_has_its_place_and_an_id_of_its_own(make):
    text = " ".join(f"Bird {n} lives on island {n} and eats {n} seeds." for n in range(400))
    collection = make()
    collection.add([{"id": "long", "text": text}])
    hit = collection.search("island 222").hits[0]
    (found,) = TwindexRetriever(collection).retrieve("island 222")
    node = found.node
    assert node.node_id == f"long#{hit.passage.start}-{hit.passage.end}"
    assert (node.start_char_idx, node.end_char_idx) == (hit.passage.start, hit.passage.end)
    assert text[node.start_char_idx : node.end_char_idx] == node.text == hit.passage_text
    assert node.source_node.node_id == "long"
    (whole,) = TwindexRetriever(collection, content="document").retrieve("island 222")
    assert (whole.node.node_id, whole.node.text) == ("long", text)


def test_retriever_passes_every_field_of_a_search(birds):
    retriever = TwindexRetriever(
        birds,
        similarity_top_k=3,
        filters=YEARS,
        legs=["lexical"],
        rerank={"model": "fast"},
        options={"feedback": "rm3"},
    )
    found = retriever.retrieve("emu fly")
    assert [one.node.node_id for one in found] == ["emu"]
    assert found[0].node.metadata["twindex"]["rerank"]["score"] == 0.5
    assert {*found[0].node.metadata["twindex"]["legs"]} == {"lexical"}
    again = asyncio.run(retriever.aretrieve("emu fly"))
    assert [(one.node.node_id, one.score) for one in again] == [("emu", found[0].score)]


@pytest.mark.parametrize(
    ("bundle", "field"),
    [
        (QueryBundle("fly", embedding=[1.0]), "embedding"),
        (QueryBundle("fly", custom_embedding_strs=["a bird"]), "custom_embedding_strs"),
        (QueryBundle("fly", image_path="bird.png"), "image_path"),
    ],
)
def test_what_a_query_cannot_express_is_refused(birds, bundle, field):
    with pytest.raises(twindex.InvalidInputError) as wrong:
        TwindexRetriever(birds).retrieve(bundle)
    assert wrong.value.field == field


def test_wrong_arguments_are_refused(birds):
    for given, field in (
        ({"similarity_top_k": 0}, "similarity_top_k"),
        ({"options": {"limit": 3}}, "limit"),
        ({"options": {"no_such_field": 3}}, "no_such_field"),
        ({"filters": "year"}, "filters"),
        ({"content": "page"}, "content"),
    ):
        with pytest.raises(twindex.InvalidInputError) as wrong:
            TwindexRetriever(birds, **given).retrieve("fly")
        assert wrong.value.field == field
    with pytest.raises(twindex.InvalidInputError, match="collection: must be a "):
        TwindexRetriever("birds")


def node(id_: str, text: str, of: str = "", **metadata: Any) -> TextNode:
    source = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=of)} if of else {}
    return TextNode(id_=id_, text=text, metadata=metadata, relationships=source)


def test_vector_store_returns_the_nodes_that_were_written(make):
    store = TwindexVectorStore(collection := make())
    nodes = [
        node("a", "The kiwi cannot fly.", "birds", title="Kiwi", year=1813, tags=["x", "y"]),
        node("b", "Swifts sleep.", "birds"),
        node("c", "Knead the dough.", "bread", year=2001),
    ]
    nodes[0].relationships[NodeRelationship.NEXT] = RelatedNodeInfo(node_id="b")
    assert store.add(nodes) == ["a", "b", "c"]
    assert collection.get("a").title == "Kiwi"
    assert store.get_nodes() == nodes
    assert store.get_nodes(["b", "a", "unknown"]) == nodes[:2]
    recent = MetadataFilters(filters=[MetadataFilter(key="year", value=2001)])
    assert store.get_nodes(filters=recent) == nodes[2:]
    assert asyncio.run(store.aget_nodes(["a"], recent)) == []
    (found,) = TwindexRetriever(collection, similarity_top_k=1).retrieve("kiwi")
    assert (found.node.node_id, found.node.ref_doc_id) == ("a", "birds")
    assert {*found.node.metadata} == {"title", "year", "tags", "twindex"}
    store.add([found.node])
    assert store.get_nodes(["a"]) == nodes[:1]
    store.delete("birds")
    assert store.get_nodes() == nodes[2:]
    store.add(nodes[:2])
    store.delete_nodes(["a", "c"], recent)
    assert store.get_nodes() == nodes[:2]
    store.delete_nodes(["a"])
    asyncio.run(store.async_add(nodes[2:]))
    assert [one.node_id for one in store.get_nodes()] == ["b", "c"]
    with pytest.raises(twindex.InvalidInputError, match="pass `node_ids` or `filters`"):
        store.delete_nodes()
    store.clear()
    assert store.get_nodes() == []


def test_index_of_embeddings_searches_the_external_leg(make):
    store = TwindexVectorStore(make(VECTORS), leg="dense", text_leg="lexical")
    index = VectorStoreIndex.from_documents(
        [Document(text=one["text"], id_=one["id"], metadata={"year": 1}) for one in BIRDS],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=Letters(),
    )
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("kiwi kiwi")
    assert (found.node.ref_doc_id, found.node.text) == ("kiwi", "The kiwi cannot fly.")
    again = asyncio.run(index.as_retriever(similarity_top_k=1).aretrieve("kiwi kiwi"))
    assert again == [found]
    for mode in ("hybrid", "semantic_hybrid", "text_search", "sparse"):
        retriever = index.as_retriever(similarity_top_k=1, vector_store_query_mode=mode)
        assert [one.node.ref_doc_id for one in retriever.retrieve("emu")] == ["emu"]
    dense = index.as_retriever(vector_store_query_mode="hybrid", alpha=1, hybrid_top_k=3)
    assert dense.retrieve("kiwi kiwi swift")[0].node.ref_doc_id == "kiwi"
    text = index.as_retriever(vector_store_query_mode="hybrid", alpha=0, hybrid_top_k=3)
    assert text.retrieve("kiwi kiwi swifts swifts sleep")[0].node.ref_doc_id == "swift"
    index.delete_ref_doc("kiwi")
    assert len(store.get_nodes()) == 2


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"mode": VectorStoreQueryMode.MMR}, "mode 'mmr' is not supported"),
        ({"mode": VectorStoreQueryMode.SVM}, "mode 'svm' is not supported"),
        ({"mode": VectorStoreQueryMode.TEXT_SEARCH}, "text_leg: "),
        ({"query_embedding": [1.0]}, "leg: "),
        ({"mode": VectorStoreQueryMode.HYBRID, "alpha": 0.5}, "leg: "),
        ({"alpha": 0.5}, "alpha: "),
        ({"mmr_threshold": 0.5}, "mmr_threshold: "),
        ({"output_fields": ["text"]}, "output_fields: "),
        ({"sparse_top_k": 3}, "sparse_top_k: "),
        ({"embedding_field": "e"}, "embedding_field: "),
        ({"similarity_top_k": 0}, "similarity_top_k: "),
    ],
)
def test_what_a_vector_store_cannot_do_is_refused(birds, query, named):
    with pytest.raises(twindex.TwindexError, match=named):
        TwindexVectorStore(birds).query(VectorStoreQuery(query_str="fly", **query))


def test_a_query_may_be_limited_to_nodes_and_documents(make):
    store = TwindexVectorStore(make())
    store.add([node("a", "a bird", "x"), node("b", "a bird", "y"), node("c", "a bird", "y")])

    def found(**given: Any) -> Any:
        query = VectorStoreQuery(query_str="bird", similarity_top_k=9, **given)
        return sorted(asyncio.run(store.aquery(query)).ids)

    assert found() == found(node_ids=[]) == ["a", "b", "c"]
    assert found(doc_ids=["y"]) == ["b", "c"]
    assert found(doc_ids=["y"], node_ids=["a", "b"]) == ["b"]


def test_nodes_that_cannot_be_stored_are_refused(birds):
    store = TwindexVectorStore(birds)
    for wrong, named in (
        (ImageNode(text="a", image_path="a.png"), None),
        (TextNode(text="a", embedding=[1.0]), r"nodes\[1\].embedding: the vector store has no"),
        ("a text", r"nodes\[1\]: must be a TextNode, got 'a text'"),
    ):
        if named is not None:
            with pytest.raises(twindex.InvalidInputError, match=named):
                store.add([node("n", "fine"), wrong])
    assert birds.count() == 3


def test_reranker_orders_nodes(reranker):
    nodes = [
        NodeWithScore(node=node(id_, text))
        for id_, text in (
            ("swift", "Swifts sleep."),
            ("kiwi", "The kiwi."),
            ("emu", "The emu runs."),
        )
    ]
    nodes[1].node.metadata["title"] = "Kiwi"
    rerank = TwindexRerank(**reranker, top_n=2)
    found = rerank.postprocess_nodes(nodes, query_str="kiwi the")
    assert [(one.node.node_id, one.score) for one in found] == [("kiwi", 1.0), ("emu", 0.5)]
    assert asyncio.run(rerank.apostprocess_nodes(nodes, query_str="kiwi the")) == found
    assert rerank.postprocess_nodes([], query_str="kiwi") == []
    with pytest.raises(twindex.InvalidInputError, match="query_bundle: a reranker needs the query"):
        rerank.postprocess_nodes(nodes)
    assert "reranker" not in rerank.to_dict()
    with pytest.raises(ValueError, match="top_k"):
        TwindexRerank(**reranker, top_k=1)


def test_query_engine_answers_from_passages(birds, reranker):
    engine = RetrieverQueryEngine.from_args(
        TwindexRetriever(birds, similarity_top_k=3),
        llm=MockLLM(),
        node_postprocessors=[TwindexRerank(**reranker, top_n=1)],
    )
    response = engine.query("Which kiwi cannot fly.")
    assert [one.node.node_id for one in response.source_nodes] == ["kiwi"]
    assert "The kiwi cannot fly." in str(response)
    assert "twindex" not in str(response)


def test_async_client_is_used_without_threads(service):
    async def use() -> list[str]:
        async with twindex.AsyncClient(service) as client:
            collection = await client.create("llama-async", TEXTS)
            store = TwindexVectorStore(collection)
            await store.async_add([node("a", "The kiwi cannot fly.")])
            retriever = TwindexRetriever(collection)
            with pytest.raises(twindex.InvalidInputError, match="has only asynchronous methods"):
                retriever.retrieve("kiwi")
            found = await retriever.aretrieve("kiwi")
            rerank = TwindexRerank(reranker=client, model="fast")
            found = await rerank.apostprocess_nodes(found, query_str="kiwi")
            await store.aclear()
            await client.drop("llama-async")
            return [one.node.node_id for one in found]

    assert asyncio.run(use()) == ["a"]
