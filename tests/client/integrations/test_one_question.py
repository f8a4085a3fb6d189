"""The same question gives the same ids and scores through each adapter and without one."""

from __future__ import annotations

import pytest

from twindex.integrations.haystack import TwindexDocumentStore
from twindex.integrations.haystack import TwindexRetriever as HaystackRetriever
from twindex.integrations.langchain import TwindexRetriever as LangChainRetriever
from twindex.integrations.langchain import TwindexVectorStore as LangChainStore
from twindex.integrations.llama_index import TwindexRetriever as LlamaIndexRetriever

FIELDS = {"filter": {"id": {"in": ["kiwi", "emu", "swift"]}}, "fusion": "rrf", "min_score": 0.001}


@pytest.mark.parametrize("question", ["a bird that cannot fly", "swifts", "dough"])
@pytest.mark.parametrize("rerank", [None, {"model": "fast"}])
def test_ids_scores_and_order_are_equal(birds, question, rerank):
    hits = birds.search(question, limit=2, rerank=rerank, **FIELDS).hits
    expected = [(hit.id, hit.score) for hit in hits]
    fusion, least, filter_ = FIELDS["fusion"], FIELDS["min_score"], FIELDS["filter"]
    shared = {"fusion": fusion, "min_score": least, "rerank": rerank}
    langchain = LangChainRetriever(collection=birds, k=2, filter=filter_, **shared)
    assert [
        (one.metadata["twindex"]["id"], one.metadata["twindex"]["score"])
        for one in langchain.invoke(question)
    ] == expected
    stored = LangChainStore(birds, options={**shared, "filter": filter_})
    assert [
        (one.id, score) for one, score in stored.similarity_search_with_score(question, k=2)
    ] == expected
    llama = LlamaIndexRetriever(birds, similarity_top_k=2, filters=filter_, **shared)
    assert [(one.node.ref_doc_id, one.score) for one in llama.retrieve(question)] == expected
    haystack = HaystackRetriever(
        TwindexDocumentStore(birds),
        top_k=2,
        filters={"field": "id", "operator": "in", "value": ["kiwi", "emu", "swift"]},
        **shared,
    )
    found = haystack.run(question)["documents"]
    assert [(one.id, one.score) for one in found] == expected
