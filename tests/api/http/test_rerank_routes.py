"""Reranking over HTTP: in searches, and of documents in the request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.http.shapes.reranking import RerankReply
from twindex.api.http.shapes.schemas import BatchReply, SearchReply
from twindex.rerank import Placed
from twindex.rerank.relevance import relevance
from twindex.search import SearchRequest

BIRDS = "/v1/collections/birds"
SEARCH = f"{BIRDS}/search"
RERANK = "/v1/rerank"
TEXTS = ["Swifts fly.", "The emu runs and cannot fly.", "Fish swim."]

# -- in a search -------------------------------------------------------------------------------


def test_a_reranked_search_reply_matches_its_schema(reranking):
    payload = {"query": "emu cannot fly", "rerank": {"model": "fast", "top_n": 8}, "limit": 12}
    response = reranking.post(SEARCH, json=payload)
    assert response.status_code == 200
    reply = SearchReply.model_validate(response.json())
    assert (reply.rerank.model, reply.rerank.status) == ("fast", "complete")
    assert (reply.rerank.candidates, reply.rerank.judged) == (8, 8)
    assert reply.rerank.usage.calls == 8
    assert reply.usage is None
    assert [hit.rerank.rank for hit in reply.hits] == list(range(1, 13))
    assert [hit.rerank.judged for hit in reply.hits] == [True] * 8 + [False] * 4
    scores = [hit.rerank.score for hit in reply.hits[:8]]
    assert scores == sorted(scores, reverse=True)
    assert "rerank;dur=" in ",".join(response.headers.get_list("server-timing"))
    assert reranking.get(BIRDS).json()["config"]["legs"]["late"]["role"] == "rerank"
    assert "late" not in reply.hits[0].legs


def test_the_reply_equals_the_engine(reranking):
    collection = reranking.app.state.service._served["birds"].collection
    payload = {"query": "emu cannot fly", "rerank": {"model": "fast"}, "filter": {"odd": 1}}
    expected = collection.search(SearchRequest.parse(payload)).hits
    hits = reranking.post(SEARCH, json=payload).json()["hits"]
    assert [(h["id"], h["rerank"]["score"]) for h in hits] == [
        (h.id, h.rerank.score) for h in expected
    ]
    assert len(hits) == 6


@pytest.mark.parametrize("model", ["stored", "varied"])
def test_rerankers_read_what_the_collection_has_stored(reranking, model):
    reply = reranking.post(SEARCH, json={"query": "emu fly", "rerank": {"model": model}}).json()
    assert reply["rerank"]["status"] == "complete"
    assert reply["rerank"]["usage"]["calls"] == 0
    assert reply["hits"][0]["rerank"]["judged"]


def test_searches_without_reranking_have_no_rerank_fields(reranking):
    reply = reranking.post(SEARCH, json={"query": "fly"}).json()
    assert "rerank" not in reply
    assert "rerank" not in reply["hits"][0]


def test_a_batch(reranking):
    requests = [
        {"query": "emu", "rerank": {"model": "fast"}},
        {"query": "fly"},
        {"query": "cannot", "rerank": {"model": "bad"}},
    ]
    reply = BatchReply.model_validate(
        reranking.post(f"{SEARCH}/batch", json={"requests": requests}).json()
    )
    assert [r.rerank and r.rerank.status for r in reply.results] == ["complete", None, "failed"]
    for request, result in zip(requests, reply.results, strict=True):
        alone = SearchReply.model_validate(reranking.post(SEARCH, json=request).json())
        assert [hit.id for hit in alone.hits] == [hit.id for hit in result.hits]


def test_a_failing_model(reranking, problem):
    payload = {"query": "emu", "rerank": {"model": "bad"}}
    reply = reranking.post(SEARCH, json=payload).json()
    plain = reranking.post(SEARCH, json={"query": "emu"}).json()
    assert reply["rerank"]["status"] == "failed"
    assert "fails at hit 2" in reply["warnings"][0]
    assert [hit["id"] for hit in reply["hits"]] == [hit["id"] for hit in plain["hits"]]
    payload["rerank"]["on_error"] = "fail"
    response = reranking.post(SEARCH, json=payload)
    assert "fails at hit 2" in problem(response, 503, "model").detail
    assert response.headers["retry-after"]


def test_a_reranker_with_a_missing_model(reranking, problem):
    payload = {"query": "emu", "rerank": {"model": "gone"}}
    reply = reranking.post(SEARCH, json=payload).json()
    assert reply["rerank"]["status"] == "failed"
    assert "not-on-this-machine" in reply["warnings"][0]
    payload["rerank"]["on_error"] = "fail"
    assert (
        "not-on-this-machine" in problem(reranking.post(SEARCH, json=payload), 503, "model").detail
    )


def test_a_wrong_reranker_configuration_is_503_and_not_422(reranking, problem):
    for _ in range(2):
        reply = reranking.post(SEARCH, json={"query": "emu", "rerank": {"model": "keyless"}}).json()
        assert reply["rerank"]["status"] == "failed"
        assert "keyless" in reply["warnings"][0]
        payload = {"model": "keyless", "query": "fly", "documents": TEXTS}
        problem(reranking.post(RERANK, json=payload), 503, "model")
    error = reranking.app.state.service.preloaded.rerankers._problems["keyless"]
    depth, trace = 0, error.__traceback__
    while trace is not None:
        depth, trace = depth + 1, trace.tb_next
    reranking.post(RERANK, json=payload)
    trace = error.__traceback__
    for _ in range(depth):
        trace = trace.tb_next
    assert trace is None, "requests would be held in memory"


def test_documents_keep_their_order_if_the_model_is_missing(reranking):
    payload = {"model": "gone", "query": "fly", "documents": TEXTS, "on_error": "keep"}
    reply = RerankReply.model_validate(reranking.post(RERANK, json=payload).json())
    assert (reply.status, [r.index for r in reply.results]) == ("failed", [0, 1, 2])
    assert "not-on-this-machine" in reply.warnings[0]


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"query": "x", "rerank": {"model": "quick"}}, "rerank.model"),
        ({"query": "x", "rerank": {"top_n": 3}}, "rerank.model"),
        ({"query": "x", "rerank": {"model": "fast", "top_n": 0}}, "rerank.top_n"),
        ({"query": "x", "rerank": {"model": "fast", "timeout": 9}}, "rerank.timeout"),
        ({"vectors": {"dense": [0.0] * 64}, "rerank": {"model": "fast"}}, "rerank"),
        ({"query": "x", "rerank": "fast"}, "rerank"),
    ],
)
def test_an_invalid_field_is_named(reranking, payload, field, problem):
    assert problem(reranking.post(SEARCH, json=payload), 422, "invalid").errors[0].field == field


def test_a_collection_without_the_leg(reranking, problem):
    reranking.put("/v1/collections/plain", json={"legs": {"lexical": {"kind": "lexical"}}})
    payload = {"query": "x", "rerank": {"model": "stored"}}
    details = problem(reranking.post("/v1/collections/plain/search", json=payload), 422, "invalid")
    assert details.errors[0].field == "rerank.model"
    assert "'late'" in details.detail


# -- of given documents ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [RERANK, "/rerank", "/v2/rerank"])
def test_documents_come_back_best_first(reranking, path):
    payload = {
        "model": "fast",
        "query": "cannot fly",
        "documents": [*TEXTS, {"text": "flightless, it cannot", "title": "fly"}],
        "top_n": 3,
        "return_documents": True,
    }
    response = reranking.post(path, json=payload)
    reply = RerankReply.model_validate(response.json())
    # The fake reranker does not match "fly." with "fly".
    assert [(r.index, r.relevance_score) for r in reply.results] == [(3, 1.0), (1, 0.5), (0, 0.0)]
    assert reply.results[0].document == {"text": "flightless, it cannot", "title": "fly"}
    assert reply.results[1].document == {"text": TEXTS[1]}
    assert reply.id == reply.request_id == response.headers["x-request-id"]
    assert reply.usage.calls == 4
    assert reply.usage.total_tokens == reply.usage.prompt_tokens > 0
    assert reply.meta.tokens["input_tokens"] == reply.usage.prompt_tokens
    assert reply.meta.billed_units == {"search_units": 1}


def test_documents_are_returned_on_request_only(reranking):
    reply = reranking.post(
        RERANK, json={"model": "fast", "query": "fly", "documents": TEXTS}
    ).json()
    assert [set(r) for r in reply["results"]] == [
        {"index", "relevance_score", "judged", "reasons"}
    ] * 3


def test_all_documents_are_reranked_despite_the_configured_candidates(reranking):
    documents = [f"text {i}" for i in range(250)]
    reply = reranking.post(
        RERANK, json={"model": "short", "query": "249 text", "documents": documents}
    ).json()
    assert (len(reply["results"]), reply["results"][0]["index"]) == (250, 249)
    assert reply["meta"]["billed_units"]["search_units"] == 3


def test_documents_beyond_the_budget_keep_their_order(reranking):
    payload = {"model": "fast", "query": "swim", "documents": TEXTS, "calls": 2}
    reply = RerankReply.model_validate(reranking.post(RERANK, json=payload).json())
    assert reply.status == "partial"
    assert [(r.index, r.judged) for r in reply.results] == [(0, True), (1, True), (2, False)]
    assert "2 of 3" in reply.warnings[0]


def test_a_failing_reranker_is_an_error_unless_on_error_is_keep(reranking, problem):
    payload = {"model": "bad", "query": "fly", "documents": TEXTS}
    problem(reranking.post(RERANK, json=payload), 503, "model")
    kept = RerankReply.model_validate(
        reranking.post(RERANK, json={**payload, "on_error": "keep"}).json()
    )
    assert kept.status == "failed"
    assert [(r.index, r.relevance_score, r.judged) for r in kept.results] == [
        (0, 0.0, False),
        (1, 0.0, False),
        (2, 0.0, False),
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": "stored"}, "model"),
        ({"model": "varied"}, "model"),
        ({"model": None}, "model"),
        ({"query": None}, "query"),
        ({"documents": []}, "documents"),
        ({"documents": ["x"] * 1_001}, "documents"),
        ({"documents": ["x", 3]}, "documents[1]"),
        ({"documents": [{"title": "x"}]}, "documents[0].text"),
        ({"documents": [{"text": "x", "body": "y"}]}, "documents[0].body"),
        ({"top_n": 0}, "top_n"),
        ({"timeout_ms": -1}, "timeout_ms"),
        ({"max_tokens_per_doc": 100}, "max_tokens_per_doc"),
        ({"rank_fields": ["text"]}, "rank_fields"),
        ({"truncation": True}, "truncation"),
        ({"priority": 1}, "priority"),
    ],
)
def test_a_wrong_field_is_named(reranking, change, field, problem):
    payload = {"model": "fast", "query": "fly", "documents": TEXTS, **change}
    assert problem(reranking.post(RERANK, json=payload), 422, "invalid").errors[0].field == field


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
def test_an_unknown_reranker_is_404_as_other_models_are(reranking, path):
    payload = {"model": "quick", "query": "fly", "documents": TEXTS}
    reply = reranking.post(path, json=payload)
    assert reply.status_code == 404
    assert "fast" in reply.text, "the error has the known names"
    assert "model_not_found" in reply.text


def test_malformed_bodies(reranking, problem):
    headers = {"content-type": "application/json"}
    problem(reranking.post(RERANK, content=b"{", headers=headers), 400, "malformed")
    problem(reranking.post(RERANK, content=b"{}"), 415, "unsupported_media_type")
    problem(reranking.post(f"{RERANK}?top_n=3", json={}), 422, "invalid")
    problem(reranking.get(RERANK), 405, "method_not_allowed")


@given(
    scores=st.lists(st.none() | st.floats(-5, 5), max_size=8),
    unjudged=st.integers(0, 4),
)
def test_relevance_descends_and_equals_descending_scores(scores, unjudged):
    known = sorted((score for score in scores if score is not None), reverse=True)
    order = [Placed(i, score) for i, score in enumerate(known)]
    order += [Placed(i) for i in range(len(known), len(scores))]
    order += [Placed(len(scores) + i, judged=False) for i in range(unjudged)]
    found = relevance(order)
    assert found == sorted(found, reverse=True)
    assert found[: len(known)] == known
    if not known:
        judged = len(scores)
        assert found == [1 / place for place in range(1, judged + 1)] + [0.0] * unjudged
