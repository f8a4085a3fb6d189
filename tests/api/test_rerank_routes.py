"""Reranking over HTTP: in searches, of given documents, and what the server says of its models."""

from __future__ import annotations

import json
import threading
import time

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from twindex.api import rerankers as served_rerankers
from twindex.api.app import create_app
from twindex.api.rerank_schemas import RerankReply
from twindex.api.routes.rerank import _relevance
from twindex.api.schemas import BatchReply, Health, ModelList, SearchReply
from twindex.api.settings import Settings
from twindex.core import ConfigError, InvalidInputError
from twindex.rerank import Needs, Placed, Reranked, load_reranker
from twindex.search import SearchRequest

BIRDS = "/v1/collections/birds"
SEARCH = f"{BIRDS}/search"
RERANK = "/v1/rerank"
TEXTS = ["Swifts fly.", "The emu runs and cannot fly.", "Fish swim."]

FILE = """
[rerankers.fast]
kind = "fake"

[rerankers.slow]
kind = "fake"
milliseconds = 20

[rerankers.bad]
kind = "fake"
fails_at = 2

[rerankers.short]
kind = "fake"
candidates = 2

[rerankers.stored]
kind = "leg"
leg = "late"

[rerankers.varied]
kind = "mmr"
leg = "dense"

[rerankers.gone]
kind = "cross_encoder"
model = "not-on-this-machine"
"""


@pytest.fixture
def client(serve, tmp_path, fake_config):
    """A server with rerankers and the collection `birds`, which has a leg for reranking."""
    file = tmp_path / "rerankers.toml"
    file.write_text(FILE)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file)
    fake_config["legs"]["late"] = {
        "kind": "dense",
        "role": "rerank",
        "encoder": {"kind": "late", "model": "fake"},
    }
    assert client.put(BIRDS, json=fake_config).status_code == 201
    lines = []
    for i in range(12):
        text = " ".join(["fly", "cannot", "emu", "runs"][: 1 + i % 4]) + f" number {i}"
        document = {"id": str(i), "title": f"Bird {i}", "text": text, "metadata": {"odd": i % 2}}
        lines.append(json.dumps(document))
    headers = {"content-type": "application/x-ndjson"}
    response = client.post(f"{BIRDS}/documents/bulk", content="\n".join(lines), headers=headers)
    assert response.status_code == 200
    return client


# -- in a search -------------------------------------------------------------------------------


def test_a_reranked_search_answers_in_the_declared_shape(client):
    asked = {"query": "emu cannot fly", "rerank": {"model": "fast", "top_n": 8}, "limit": 12}
    response = client.post(SEARCH, json=asked)
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
    assert client.get(BIRDS).json()["config"]["legs"]["late"]["role"] == "rerank"
    assert "late" not in reply.hits[0].legs


def test_the_reply_equals_the_engine(client):
    engine = client.app.state.service._served["birds"].engine
    asked = {"query": "emu cannot fly", "rerank": {"model": "fast"}, "filter": {"odd": 1}}
    expected = engine.search(SearchRequest.parse(asked)).hits
    hits = client.post(SEARCH, json=asked).json()["hits"]
    assert [(h["id"], h["rerank"]["score"]) for h in hits] == [
        (h.id, h.rerank.score) for h in expected
    ]
    assert len(hits) == 6


@pytest.mark.parametrize("model", ["stored", "varied"])
def test_rerankers_read_what_the_collection_has_stored(client, model):
    reply = client.post(SEARCH, json={"query": "emu fly", "rerank": {"model": model}}).json()
    assert reply["rerank"]["status"] == "complete"
    assert reply["rerank"]["usage"]["calls"] == 0
    assert reply["hits"][0]["rerank"]["judged"]


def test_searches_without_reranking_have_no_word_of_it(client):
    reply = client.post(SEARCH, json={"query": "fly"}).json()
    assert "rerank" not in reply
    assert "rerank" not in reply["hits"][0]


def test_a_batch(client):
    requests = [
        {"query": "emu", "rerank": {"model": "fast"}},
        {"query": "fly"},
        {"query": "cannot", "rerank": {"model": "bad"}},
    ]
    reply = BatchReply.model_validate(
        client.post(f"{SEARCH}/batch", json={"requests": requests}).json()
    )
    assert [r.rerank and r.rerank.status for r in reply.results] == ["complete", None, "failed"]
    for request, result in zip(requests, reply.results, strict=True):
        alone = SearchReply.model_validate(client.post(SEARCH, json=request).json())
        assert [hit.id for hit in alone.hits] == [hit.id for hit in result.hits]


def test_a_failing_model(client, problem):
    asked = {"query": "emu", "rerank": {"model": "bad"}}
    reply = client.post(SEARCH, json=asked).json()
    plain = client.post(SEARCH, json={"query": "emu"}).json()
    assert reply["rerank"]["status"] == "failed"
    assert "fails at hit 2" in reply["warnings"][0]
    assert [hit["id"] for hit in reply["hits"]] == [hit["id"] for hit in plain["hits"]]
    asked["rerank"]["on_error"] = "fail"
    response = client.post(SEARCH, json=asked)
    assert "fails at hit 2" in problem(response, 503, "model").detail
    assert response.headers["retry-after"]


def test_a_model_that_is_not_here(client, problem):
    asked = {"query": "emu", "rerank": {"model": "gone"}}
    reply = client.post(SEARCH, json=asked).json()
    assert reply["rerank"]["status"] == "failed"
    assert "not-on-this-machine" in reply["warnings"][0]
    asked["rerank"]["on_error"] = "fail"
    assert "not-on-this-machine" in problem(client.post(SEARCH, json=asked), 503, "model").detail


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"query": "x", "rerank": {"model": "quick"}}, "rerank.model"),
        ({"query": "x", "rerank": {"top_n": 3}}, "rerank.model"),
        ({"query": "x", "rerank": {"model": "fast", "top_n": 0}}, "rerank.top_n"),
        ({"query": "x", "rerank": {"model": "fast", "timeout": 9}}, "rerank.timeout"),
        ({"vectors": {"dense": [0.0] * 64}, "rerank": {"model": "fast"}}, "rerank"),
        ({"query": "x", "rerank": "fast"}, "rerank"),
    ],
)
def test_an_invalid_field_is_named(client, asked, field, problem):
    assert problem(client.post(SEARCH, json=asked), 422, "invalid").errors[0].field == field


def test_a_collection_without_the_leg(client, problem):
    client.put("/v1/collections/plain", json={"legs": {"lexical": {"kind": "lexical"}}})
    asked = {"query": "x", "rerank": {"model": "stored"}}
    details = problem(client.post("/v1/collections/plain/search", json=asked), 422, "invalid")
    assert details.errors[0].field == "rerank.model"
    assert "'late'" in details.detail


# -- of given documents ------------------------------------------------------------------------


@pytest.mark.parametrize("path", [RERANK, "/rerank", "/v2/rerank"])
def test_documents_come_back_best_first(client, path):
    asked = {
        "model": "fast",
        "query": "cannot fly",
        "documents": [*TEXTS, {"text": "flightless, it cannot", "title": "fly"}],
        "top_n": 3,
        "return_documents": True,
    }
    response = client.post(path, json=asked)
    reply = RerankReply.model_validate(response.json())
    # "fly." is not the word "fly" to the fake.
    assert [(r.index, r.relevance_score) for r in reply.results] == [(3, 1.0), (1, 0.5), (0, 0.0)]
    assert reply.results[0].document == {"text": "flightless, it cannot", "title": "fly"}
    assert reply.results[1].document == {"text": TEXTS[1]}
    assert reply.id == reply.request_id == response.headers["x-request-id"]
    assert reply.usage.calls == 4
    assert reply.usage.total_tokens == reply.usage.prompt_tokens > 0
    assert reply.meta.tokens["input_tokens"] == reply.usage.prompt_tokens
    assert reply.meta.billed_units == {"search_units": 1}


def test_documents_are_returned_only_where_asked_for(client):
    reply = client.post(RERANK, json={"model": "fast", "query": "fly", "documents": TEXTS}).json()
    assert [set(r) for r in reply["results"]] == [
        {"index", "relevance_score", "judged", "reasons"}
    ] * 3


def test_all_documents_are_judged_whatever_is_configured(client):
    documents = [f"text {i}" for i in range(250)]
    reply = client.post(
        RERANK, json={"model": "short", "query": "249 text", "documents": documents}
    ).json()
    assert (len(reply["results"]), reply["results"][0]["index"]) == (250, 249)
    assert reply["meta"]["billed_units"]["search_units"] == 3


def test_documents_that_a_budget_leaves_out_follow_in_their_order(client):
    asked = {"model": "fast", "query": "swim", "documents": TEXTS, "calls": 2}
    reply = RerankReply.model_validate(client.post(RERANK, json=asked).json())
    assert reply.status == "partial"
    assert [(r.index, r.judged) for r in reply.results] == [(0, True), (1, True), (2, False)]
    assert "2 of 3" in reply.warnings[0]


def test_a_reranker_that_fails_is_an_error_unless_told_otherwise(client, problem):
    asked = {"model": "bad", "query": "fly", "documents": TEXTS}
    problem(client.post(RERANK, json=asked), 503, "model")
    kept = RerankReply.model_validate(
        client.post(RERANK, json={**asked, "on_error": "keep"}).json()
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
        ({"model": "quick"}, "model"),
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
def test_a_wrong_field_is_named(client, change, field, problem):
    asked = {"model": "fast", "query": "fly", "documents": TEXTS, **change}
    assert problem(client.post(RERANK, json=asked), 422, "invalid").errors[0].field == field


def test_malformed_bodies(client, problem):
    headers = {"content-type": "application/json"}
    problem(client.post(RERANK, content=b"{", headers=headers), 400, "malformed")
    problem(client.post(RERANK, content=b"{}"), 415, "unsupported_media_type")
    problem(client.post(f"{RERANK}?top_n=3", json={}), 422, "invalid")
    problem(client.get(RERANK), 405, "method_not_allowed")


@given(
    scores=st.lists(st.none() | st.floats(-5, 5), max_size=8),
    unjudged=st.integers(0, 4),
)
def test_relevance_never_ascends_and_is_the_score_where_scores_descend(scores, unjudged):
    known = sorted((score for score in scores if score is not None), reverse=True)
    order = [Placed(i, score) for i, score in enumerate(known)]
    order += [Placed(i) for i in range(len(known), len(scores))]
    order += [Placed(len(scores) + i, judged=False) for i in range(unjudged)]
    found = _relevance(order)
    assert found == sorted(found, reverse=True)
    assert found[: len(known)] == known
    if not known:
        judged = len(scores)
        assert found == [1 / place for place in range(1, judged + 1)] + [0.0] * unjudged


# -- the server --------------------------------------------------------------------------------


def test_models_are_listed(client):
    models = ModelList.model_validate(client.get("/v1/models").json()).data
    rerankers = {model.id: model for model in models if model.type == "reranker"}
    assert set(rerankers) == {"fast", "slow", "bad", "short", "stored", "varied", "gone"}
    assert (rerankers["gone"].status, rerankers["gone"].weights) == (
        "unavailable",
        "not-on-this-machine",
    )
    assert (rerankers["short"].kind, rerankers["short"].candidates) == ("fake", 2)
    encoders = {(model.id, model.kind): model.legs for model in models if model.type == "encoder"}
    assert encoders == {
        ("fake", "dense"): ["birds/dense"],
        ("fake", "sparse"): ["birds/sparse"],
        ("en", "analyzer"): ["birds/lexical"],
        ("late:fake", "late"): ["birds/late"],
    }


def test_health_tells_of_rerankers(client, serve, tmp_path):
    health = Health.model_validate(client.get("/healthz").json())
    assert (health.status, health.rerankers["gone"], health.rerankers["fast"]) == (
        "degraded",
        "unavailable",
        "ready",
    )
    (tmp_path / "none").mkdir()
    assert serve(tmp_path / "none").get("/healthz").json()["rerankers"] == {}


def test_metrics_count_rerankings_by_model_and_outcome(client):
    client.post(SEARCH, json={"query": "emu", "rerank": {"model": "fast", "top_n": 3}})
    client.post(SEARCH, json={"query": "emu", "rerank": {"model": "fast", "calls": 1, "top_n": 9}})
    client.post(RERANK, json={"model": "bad", "query": "fly", "documents": TEXTS})
    text = client.get("/metrics").text
    for line in (
        'twindex_reranks_total{model="fast",status="complete"} 1.0',
        'twindex_reranks_total{model="fast",status="partial"} 1.0',
        'twindex_reranks_total{model="bad",status="failed"} 1.0',
        'twindex_rerank_seconds_count{model="fast"} 2.0',
        'twindex_rerank_calls_total{model="fast"} 4.0',
        'twindex_rerank_cache_hits_total{model="fast"} 3.0',
        'twindex_search_stage_seconds_count{stage="rerank"} 2.0',
        'twindex_llm_calls_total{collection="birds"} 4.0',
    ):
        assert line in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[rerankers.fast]\nkind = "quick"', "rerankers.fast"),
        ('[rerankers.fast]\nkind = "fake"\nspeed = 3', "rerankers.fast.speed"),
        ("rerankers", "not TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_wrong_file_stops_the_server(tmp_path, text, words):
    file = tmp_path / "rerankers.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(InvalidInputError, match=words) as caught:
        create_app(tmp_path, Settings(rerankers=file))
    assert "rerankers.toml" in str(caught.value)


def test_a_file_is_named_by_the_environment(tmp_path):
    given = {"TWINDEX_RERANKERS": str(tmp_path / "r.toml"), "TWINDEX_RERANK_THREADS": "2"}
    settings = Settings.from_environment(given)
    assert (settings.rerankers, settings.rerank_threads) == (tmp_path / "r.toml", 2)
    with pytest.raises(ConfigError, match="TWINDEX_RERANK_THREADS"):
        Settings.from_environment({"TWINDEX_RERANK_THREADS": "0"})


def test_rerankers_run_on_the_device_of_the_server(serve, tmp_path, monkeypatch):
    devices = []

    def load(config, *, device):
        devices.append(device)
        return load_reranker(config, device=device)

    monkeypatch.setattr(served_rerankers, "load_reranker", load)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    serve(rerankers=file, device="cpu")
    assert devices == ["cpu"]


class Gated:
    """Waits for the gate at each call after the first, which the server makes itself."""

    kind = "fake"
    needs = Needs()

    def __init__(self):
        self.gate = threading.Event()
        self.busy = 0

    def rerank(self, tasks, budget=None):
        if tasks[0].query != "text":
            self.busy += 1
            assert self.gate.wait(30)
        return [Reranked([Placed(i, 0.0) for i in range(len(t.candidates))]) for t in tasks]


@pytest.fixture
def gated(serve, tmp_path, monkeypatch, fake_config):
    """A server whose one reranker waits, with 2 threads for it and 1 request that may wait."""
    reranker = Gated()
    monkeypatch.setattr(served_rerankers, "load_reranker", lambda config, device: reranker)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.gated]\nkind = "fake"\n')
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file, rerank_threads=2, rerank_queue=1, threads=1)
    client.put(BIRDS, json=fake_config)
    client.put(f"{BIRDS}/documents/1", json={"text": "emu"})
    yield client, reranker
    reranker.gate.set()


def test_reranking_that_takes_long_holds_up_no_search_and_is_bounded(gated, problem):
    client, reranker = gated
    asked = {"query": "emu", "rerank": {"model": "gated"}}
    batch = {"requests": [asked]}
    direct = {"model": "gated", "query": "emu", "documents": ["a"]}
    found = []
    threads = [
        threading.Thread(
            target=lambda path=path, body=body: found.append(client.post(path, json=body))
        )
        for path, body in [(SEARCH, asked), (f"{SEARCH}/batch", batch), (RERANK, direct)]
    ]
    for thread in threads:
        thread.start()
    service = client.app.state.service
    for _ in range(1_000):
        if reranker.busy == 2 and service.reranking._active == 3:
            break
        time.sleep(0.01)
    assert (reranker.busy, service.reranking._active) == (2, 3)
    for path, body in [(SEARCH, asked), (RERANK, direct)]:
        response = client.post(path, json=body)
        problem(response, 429, "too_many_requests")
        assert response.headers["retry-after"]
    # There is one thread for searches: had a reranking taken it, this would never be answered.
    for _ in range(20):
        assert client.post(SEARCH, json={"query": "emu"}).status_code == 200
    reranker.gate.set()
    for thread in threads:
        thread.join(30)
    assert [response.status_code for response in found] == [200, 200, 200]
    assert client.post(SEARCH, json=asked).status_code == 200


def test_readiness_waits_for_rerankers(tmp_path, monkeypatch, problem, wait_until_ready):
    loaded = threading.Event()

    def slow(config, *, device):
        assert loaded.wait(30)
        return load_reranker(config, device=device)

    monkeypatch.setattr(served_rerankers, "load_reranker", slow)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    app = create_app(tmp_path, Settings(rerankers=file))
    with TestClient(app, base_url="http://localhost") as client:
        waiting = {"status": "loading", "collections": {}, "rerankers": {"fast": "loading"}}
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").json() == waiting
        asked = {"model": "fast", "query": "fly", "documents": TEXTS}
        details = problem(client.post(RERANK, json=asked), 503, "not_ready")
        assert "loading" in details.detail
        unknown = problem(client.post(RERANK, json={**asked, "model": "x"}), 422, "invalid")
        assert unknown.errors[0].field == "model"
        loaded.set()
        wait_until_ready(client)
        assert client.post(RERANK, json=asked).status_code == 200


def test_a_reranker_that_breaks_while_it_is_loaded_harms_no_other(serve, tmp_path, monkeypatch):
    def load(config, *, device):
        if config.candidates == 1:
            raise RuntimeError("a slip")
        return load_reranker(config, device=device)

    monkeypatch.setattr(served_rerankers, "load_reranker", load)
    file = tmp_path / "rerankers.toml"
    file.write_text(
        '[rerankers.broken]\nkind = "fake"\ncandidates = 1\n[rerankers.fast]\nkind = "fake"\n'
    )
    client = serve(rerankers=file)
    assert client.get("/healthz").json()["rerankers"] == {"broken": "unavailable", "fast": "ready"}


def test_programs_without_the_key_are_asked_for_a_bearer_token(serve, tmp_path):
    client = serve(api_key="s3cret")
    for path in (RERANK, "/rerank", "/v2/rerank"):
        response = client.post(path, json={})
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
