"""A language model as the encoder of two legs, over HTTP and on the page."""

from __future__ import annotations

import copy
import gc
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from twindex.api.http.shapes.documents import BulkReply, Written
from twindex.api.http.shapes.schemas import BatchReply, SearchReply
from twindex.api.pages.templates import templates
from twindex.api.serving import loading
from twindex.api.serving.bulk import BulkResult
from twindex.api.serving.settings import Settings
from twindex.core import ConfigError, Usage
from twindex.encoders import PromptRepsEncoderConfig
from twindex.llm.fake import FakeModel

BIRDS = "/v1/collections/birds"
SEARCH = BIRDS + "/search"
ENCODER = {"kind": "promptreps", "model": "fake"}
CONFIG = {
    "legs": {
        "dense": {"kind": "dense", "encoder": ENCODER},
        "sparse": {"kind": "sparse", "encoder": ENCODER},
        "lexical": {"kind": "lexical"},
    }
}
KIWI = {"title": "Kiwi", "text": "The kiwi is a bird that cannot fly."}
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def client(serve):
    client = serve()
    assert client.put(BIRDS, json=CONFIG).status_code == 201
    assert client.put(BIRDS + "/documents/kiwi", json=KIWI).status_code == 201
    return client


def test_a_write_reports_model_usage(client):
    response = client.put(BIRDS + "/documents/emu", json={"text": "The emu runs."})
    assert Written.model_validate(response.json()).usage.calls == 1
    lines = '{"id": "1", "text": "one"}\n{"id": "2", "text": "two"}\n'
    response = client.post(BIRDS + "/documents/bulk", content=lines, headers=NDJSON)
    assert BulkReply.model_validate(response.json()).usage.calls == 2


def test_a_continued_job_keeps_its_counts(client, wait_for_job):
    lines = "".join(f'{{"id": "{n}", "text": "t"}}\n' for n in range(300))
    path = BIRDS + "/documents/bulk?async=true"
    job = wait_for_job(client, client.post(path, content=lines, headers=NDJSON).json()["id"])
    assert job["result"]["usage"]["calls"] == 300
    resumed = BulkResult.resumed(job["result"])
    assert resumed.usage == Usage(**job["result"]["usage"])
    assert BulkResult.resumed({"documents": 3}) == BulkResult(documents=3)


def test_a_search_reports_model_usage(client):
    replies = [
        SearchReply.model_validate(client.post(SEARCH, json={"query": "kiwi"}).json())
        for _ in range(2)
    ]
    first, again = (reply.usage for reply in replies)
    assert (first.calls, first.cache_hits) == (1, 0)
    assert first.prompt_tokens > 0
    assert (again.calls, again.cache_hits, again.prompt_tokens) == (0, 1, 0)
    assert replies[0].index.encoder["sparse"] == "promptreps:fake"
    assert replies[0].query_terms is None
    lexical = client.post(SEARCH, json={"query": "kiwi", "legs": [{"name": "lexical"}]}).json()
    assert "usage" not in lexical


def test_each_search_of_a_batch_reports_its_own_usage(client):
    payload = {"requests": [{"query": query} for query in ("one bird", "two birds", "one bird")]}
    reply = BatchReply.model_validate(client.post(SEARCH + "/batch", json=payload).json())
    assert [result.usage.calls for result in reply.results] == [1, 1, 0]


def test_explain_shows_the_terms_of_the_model(client):
    long = {"text": " ".join(f"word{n}" for n in range(40))}
    client.put(BIRDS + "/documents/long", json=long)
    payload = {"query": "kiwi word3", "explain": True}
    reply = SearchReply.model_validate(client.post(SEARCH, json=payload).json())
    assert reply.query_terms["sparse"].total == len(reply.query_terms["sparse"].top) == 2
    hits = {hit.id: hit for hit in reply.hits}
    own = hits["kiwi"].terms["sparse"]
    assert {item.term for item in own.top} & {t.term for t in reply.query_terms["sparse"].top}
    cut = hits["long"].terms["sparse"]
    assert (len(cut.top), cut.total) == (20, 40)
    assert all(item.weight == int(item.weight) > 0 for item in cut.top)


def test_a_collection_shows_its_prompts(client):
    encoder = client.get(BIRDS).json()["legs"]["sparse"]["encoder"]
    assert (encoder["model"], encoder["variant"]) == ("fake", "single")
    assert 'Query: "' in encoder["query_prompt"][0]
    assert "device" not in encoder


def test_metrics_count_what_the_models_did(client, serve, fake_config, tmp_path):
    before = metrics(client)
    client.post(SEARCH, json={"query": "a new one"})
    client.post(SEARCH, json={"query": "a new one"})
    after = metrics(client)
    gained = {name: after[name] - before[name] for name in after}
    assert gained["twindex_llm_calls_total"] == gained["twindex_llm_cache_hits_total"] == 1
    assert gained["twindex_llm_prompt_tokens_total"] > 0
    assert {name.removesuffix("_total") for name in after} == {
        f"twindex_llm_{field}" for field in Usage.__dataclass_fields__
    }
    other = serve((tmp_path / "other").mkdir() or tmp_path / "other")
    other.put(BIRDS, json=fake_config)
    assert metrics(other) == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "birds/dense", "input": ["a", "b c"]}),
        ("/v1/sparse_embeddings", {"model": "birds/sparse", "input": ["a", "b c"]}),
        (
            "/v2/embed",
            {"model": "birds/dense", "texts": ["a", "b c"], "input_type": "search_query"},
        ),
        ("/embed", {"inputs": ["a", "b c"]}),
    ],
)
def test_embeddings_are_usage_of_the_language_model(client, path, body):
    before = metrics(client)
    assert client.post(path, json=body).status_code == 200
    after = metrics(client)
    gained = {name: after[name] - before[name] for name in after}
    assert gained["twindex_llm_calls_total"] == 2
    assert gained["twindex_llm_prompt_tokens_total"] > 2


def metrics(client):
    found = re.findall(
        r'^(twindex_llm_\w+)\{collection="birds"\} (\S+)$', client.get("/metrics").text, re.M
    )
    return {name: float(value) for name, value in found}


def test_several_vectors_conflict_with_a_graph_and_a_query_vector(client, problem):
    several = copy.deepcopy(CONFIG)
    for leg in ("dense", "sparse"):
        several["legs"][leg]["encoder"]["variant"] = "multi_word_multi"
    client.put("/v1/collections/several", json=several)
    client.put("/v1/collections/several/documents/kiwi", json=KIWI)
    path = "/v1/collections/several/search"
    assert client.post(path, json={"query": "kiwi"}).json()["hits"][0]["id"] == "kiwi"
    details = problem(client.post(path, json={"vectors": {"dense": [0.1] * 64}}), 422, "invalid")
    assert details.errors[0].field == "vectors.dense"
    several["legs"]["dense"]["index"] = {"kind": "hnsw"}
    details = problem(client.put("/v1/collections/graph", json=several), 422, "invalid")
    assert "must be flat, because the encoder returns several vectors" in details.detail


def test_an_unsupported_model_option_names_the_field(client, problem):
    config = copy.deepcopy(CONFIG)
    config["legs"]["sparse"]["encoder"] = {**ENCODER, "layer": -2}
    details = problem(client.put("/v1/collections/other", json=config), 422, "config")
    assert details.errors[0].field == "legs.sparse.encoder.layer"


def test_the_page_shows_terms_of_the_model(client):
    text = client.get("/", params={"collection": "birds", "q": "kiwi", "explain": "1"}).text
    assert "The query in sparse:" in text
    assert text.count("The passage in sparse:") == 1
    assert re.search(r'class="word">#\d+ <b>\d+</b>', text)
    assert "promptreps:fake" in text
    plain = client.get("/", params={"collection": "birds", "q": "kiwi"}).text
    assert "in sparse:" not in plain


@pytest.mark.parametrize(
    ("piece", "shown"),
    [("Ġcat", "␣cat"), ("▁cat", "␣cat"), ("cat", "cat"), ("##s", "…s"), ("Ġ", "Ġ"), ("#1", "#1")],
)
def test_the_space_before_a_word_piece_is_visible(piece, shown):
    assert templates.filters["piece"](piece) == shown


def test_health_and_metrics_do_not_wait_for_slow_models(serve, monkeypatch):
    client = serve(threads=1, queue=0)
    client.put(BIRDS, json=CONFIG)
    reading, go_on = Event(), Event()
    read = FakeModel.read

    def slow(self, *arguments, **options):
        reading.set()
        assert go_on.wait(60)
        return read(self, *arguments, **options)

    monkeypatch.setattr(FakeModel, "read", slow)
    with ThreadPoolExecutor(1) as pool:
        try:
            found = pool.submit(client.post, SEARCH, json={"query": "new"})
            assert reading.wait(60)
            assert client.post(SEARCH, json={"query": "x"}).status_code == 429
            for path in ("/livez", "/readyz", "/healthz", "/v1/info", "/metrics"):
                assert client.get(path).status_code == 200, path
        finally:
            go_on.set()
        assert found.result().status_code == 200


def test_an_unused_model_is_freed(client, monkeypatch):
    loaded = []
    load = loading.load_encoder

    def watched(config):
        encoder = load(config)
        loaded.append(weakref.ref(encoder))
        return encoder

    monkeypatch.setattr(loading, "load_encoder", watched)
    other = copy.deepcopy(CONFIG)
    for leg in ("dense", "sparse"):
        other["legs"][leg]["encoder"]["variant"] = "first_word"
    assert client.put("/v1/collections/other", json=other).status_code == 201
    assert len(loaded) == 1  # Loaded once, although needed before and during the creation.
    assert client.post("/v1/collections/other/search", json={"query": "x"}).status_code == 200
    assert client.delete("/v1/collections/other").status_code == 204
    gc.collect()
    assert loaded[0]() is None
    assert client.post(SEARCH, json={"query": "kiwi"}).status_code == 200


@pytest.mark.parametrize("device", [None, "cpu"])
def test_models_run_on_the_device_of_the_server(serve, monkeypatch, tmp_path, device):
    configs = []
    load = loading.load_encoder

    def spy(config):
        configs.append(config)
        return load(config)

    monkeypatch.setattr(loading, "load_encoder", spy)
    settings = {} if device is None else {"device": device}
    client = serve(**settings)
    for name in ("birds", "bees"):
        assert client.put(f"/v1/collections/{name}", json=CONFIG).status_code == 201
        config = client.get(f"/v1/collections/{name}").json()["config"]
        assert config["legs"]["dense"]["encoder"]["device"] == "auto"
    # One encoder for all legs of both collections, and the analyzer.
    (model,) = (config for config in configs if isinstance(config, PromptRepsEncoderConfig))
    assert model.device == (device or "auto")


def test_the_device_is_a_setting():
    assert Settings.from_environment({"TWINDEX_DEVICE": "cpu"}).device == "cpu"
    with pytest.raises(ConfigError, match="TWINDEX_DEVICE"):
        Settings.from_environment({"TWINDEX_DEVICE": "tpu"})


def test_the_schema_distinguishes_encoders_by_kind(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    choices = schemas["DenseLeg"]["properties"]["encoder"]["oneOf"]
    assert [choice["$ref"].rpartition("/")[2] for choice in choices] == [
        "DenseEncoderConfig",
        "PromptRepsEncoderConfig",
        "LateEncoderConfig",
        "ExternalEncoderConfig",
        "PairEncoderConfig",
    ]
    # An encoder without a kind is the default one: exactly one member may match.
    assert "kind" not in schemas["DenseEncoderConfig"].get("required", [])
    for other in choices[1:]:
        assert "kind" in schemas[other["$ref"].rpartition("/")[2]]["required"]
