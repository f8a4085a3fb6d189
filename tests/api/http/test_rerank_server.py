"""Rerankers of a server: loading, lists, metrics and isolation from searches."""

from __future__ import annotations

import threading
import time

import pytest
from fastapi.testclient import TestClient

from twindex.api.http.app import create_app
from twindex.api.http.shapes.operations import Health, ModelList
from twindex.api.serving import preloaded
from twindex.api.serving.settings import Settings
from twindex.core import ConfigError, InvalidInputError
from twindex.rerank import Needs, Placed, Reranked, load_reranker

BIRDS = "/v1/collections/birds"
SEARCH = f"{BIRDS}/search"
RERANK = "/v1/rerank"
TEXTS = ["Swifts fly.", "The emu runs and cannot fly.", "Fish swim."]

# -- the server --------------------------------------------------------------------------------


def test_models_are_listed(reranking):
    models = ModelList.model_validate(reranking.get("/v1/models").json()).data
    rerankers = {model.id: model for model in models if model.type == "reranker"}
    assert set(rerankers) == {"fast", "slow", "bad", "short", "stored", "varied", "gone", "keyless"}
    assert (rerankers["gone"].status, rerankers["gone"].weights) == (
        "unavailable",
        "not-on-this-machine",
    )
    assert (rerankers["short"].kind, rerankers["short"].candidates) == ("fake", 2)
    encoders = {(model.id, model.kind): model.legs for model in models if model.type == "encoder"}
    assert encoders == {
        ("birds/dense", "dense"): ["birds/dense"],
        ("birds/sparse", "sparse"): ["birds/sparse"],
        ("en", "analyzer"): ["birds/lexical"],
        ("late:fake", "late"): ["birds/late"],
    }


def test_health_contains_rerankers(reranking, serve, tmp_path):
    health = Health.model_validate(reranking.get("/healthz").json())
    assert (health.status, health.rerankers["gone"], health.rerankers["fast"]) == (
        "degraded",
        "unavailable",
        "ready",
    )
    (tmp_path / "none").mkdir()
    assert serve(tmp_path / "none").get("/healthz").json()["rerankers"] == {}


def test_metrics_count_rerankings_by_model_and_outcome(reranking):
    reranking.post(SEARCH, json={"query": "emu", "rerank": {"model": "fast", "top_n": 3}})
    reranking.post(
        SEARCH, json={"query": "emu", "rerank": {"model": "fast", "calls": 1, "top_n": 9}}
    )
    reranking.post(RERANK, json={"model": "bad", "query": "fly", "documents": TEXTS})
    text = reranking.get("/metrics").text
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
        ("rerankers", "is not valid TOML"),
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


def test_the_environment_names_the_file_of_rerankers(tmp_path):
    given = {"TWINDEX_RERANKERS": str(tmp_path / "r.toml"), "TWINDEX_RERANK_THREADS": "2"}
    settings = Settings.from_environment(given)
    assert (settings.rerankers, settings.rerank_threads) == (tmp_path / "r.toml", 2)
    with pytest.raises(ConfigError, match="TWINDEX_RERANK_THREADS"):
        Settings.from_environment({"TWINDEX_RERANK_THREADS": "0"})


def test_rerankers_run_on_the_device_of_the_server(serve, tmp_path, monkeypatch):
    devices = []

    def load(config, *, device):
        devices.append((config.kind, device))
        return load_reranker(config, device=device)

    monkeypatch.setattr(preloaded, "load_part", load)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    serve(rerankers=file, device="cpu")
    assert devices == [("fake", "cpu"), ("extractive", "cpu")]


class Gated:
    """Waits for the gate at each call after the first, the warm-up of the server."""

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
    """A server whose reranker waits, with 2 threads for reranking and a queue of 1."""
    reranker = Gated()
    monkeypatch.setattr(preloaded, "load_part", lambda config, device: reranker)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.gated]\nkind = "fake"\n')
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file, rerank_threads=2, rerank_queue=1, threads=1)
    client.put(BIRDS, json=fake_config)
    client.put(f"{BIRDS}/documents/1", json={"text": "emu"})
    yield client, reranker
    reranker.gate.set()


def test_slow_reranking_does_not_block_searches_and_is_bounded(gated, problem):
    client, reranker = gated
    payload = {"query": "emu", "rerank": {"model": "gated"}}
    batch = {"requests": [payload]}
    direct = {"model": "gated", "query": "emu", "documents": ["a"]}
    found = []
    threads = [
        threading.Thread(
            target=lambda path=path, body=body: found.append(client.post(path, json=body))
        )
        for path, body in [(SEARCH, payload), (f"{SEARCH}/batch", batch), (RERANK, direct)]
    ]
    for thread in threads:
        thread.start()
    service = client.app.state.service
    for _ in range(1_000):
        if reranker.busy == 2 and service.reranking.active == 3:
            break
        time.sleep(0.01)
    assert (reranker.busy, service.reranking.active) == (2, 3)
    for path, body in [(SEARCH, payload), (RERANK, direct)]:
        response = client.post(path, json=body)
        problem(response, 429, "too_many_requests")
        assert response.headers["retry-after"]
    # There is one thread for searches. A reranking in it would block this search forever.
    for _ in range(20):
        assert client.post(SEARCH, json={"query": "emu"}).status_code == 200
    reranker.gate.set()
    for thread in threads:
        thread.join(30)
    assert [response.status_code for response in found] == [200, 200, 200]
    assert client.post(SEARCH, json=payload).status_code == 200


def test_readiness_waits_for_rerankers(tmp_path, monkeypatch, problem, wait_until_ready):
    loaded = threading.Event()

    def slow(config, *, device):
        assert loaded.wait(30)
        return load_reranker(config, device=device)

    monkeypatch.setattr(preloaded, "load_part", slow)
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    app = create_app(tmp_path, Settings(rerankers=file))
    with TestClient(app, base_url="http://localhost") as client:
        waiting = {"status": "loading", "collections": {}, "rerankers": {"fast": "loading"}}
        waiting |= {"generators": {"extractive": "loading"}, "backgrounds": {}, "rewriters": {}}
        waiting |= {"problem": None, "writable": True}
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").json() == waiting
        payload = {"model": "fast", "query": "fly", "documents": TEXTS}
        details = problem(client.post(RERANK, json=payload), 503, "not_ready")
        assert "loading" in details.detail
        unknown = problem(
            client.post(RERANK, json={**payload, "model": "x"}), 404, "model_not_found"
        )
        assert unknown.errors[0].field == "model"
        loaded.set()
        wait_until_ready(client)
        assert client.post(RERANK, json=payload).status_code == 200


def test_a_reranker_that_fails_to_load_does_not_affect_others(serve, tmp_path, monkeypatch):
    def load(config, *, device):
        if config.candidates == 1:
            raise RuntimeError("a slip")
        return load_reranker(config, device=device)

    monkeypatch.setattr(preloaded, "load_part", load)
    file = tmp_path / "rerankers.toml"
    file.write_text(
        '[rerankers.broken]\nkind = "fake"\ncandidates = 1\n[rerankers.fast]\nkind = "fake"\n'
    )
    client = serve(rerankers=file)
    assert client.get("/healthz").json()["rerankers"] == {"broken": "unavailable", "fast": "ready"}


def test_programs_without_the_key_get_a_bearer_challenge(serve, tmp_path):
    client = serve(api_key="s3cret")
    for path in (RERANK, "/rerank", "/v2/rerank"):
        response = client.post(path, json={})
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
