"""Spans of requests, as a collector of OpenTelemetry receives them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from twindex.api.http.logs import JsonFormatter, RequestFilter, TextFormatter
from twindex.api.serving.measuring.tracing import endpoint, tracing_of
from twindex.api.serving.settings import Settings
from twindex.core import ConfigError

BIRDS = "/v1/collections/birds"
SERVER, CLIENT = 2, 3
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KIWI = {"text": "The kiwi cannot fly."}


@pytest.fixture
def traced(collector, serve, tmp_path, fake_config):
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", traces=collector.url)
    assert client.put(BIRDS, json=fake_config).status_code == 201
    assert client.put(f"{BIRDS}/documents/kiwi", json=KIWI).status_code == 201
    return client


def names(spans):
    return sorted(span["name"] for span in spans)


def test_a_search_is_a_span_with_a_span_for_each_stage(traced, collector):
    response = traced.post(f"{BIRDS}/search?", json={"query": "kiwi"})
    span, others = collector.trace("POST /v1/collections/{collection}/search")
    assert (span["kind"], span["failed"], span["parent"]) == (SERVER, False, "")
    own = span["attributes"]
    assert own["http.request.method"] == "POST"
    assert own["http.route"] == "/v1/collections/{collection}/search"
    assert own["url.path"] == f"{BIRDS}/search"
    assert own["url.scheme"] == "http"
    assert own["http.response.status_code"] == 200
    assert own["twindex.collection"] == "birds"
    assert own["twindex.request_id"] == response.headers["x-request-id"]
    legs = [f"search {leg}" for leg in ("dense", "lexical", "sparse")]
    assert names(others) == sorted(["encode", "filter", "fuse", "fetch", "fetch", *legs])
    for one in others:
        assert one["parent"] == span["id"]
        assert span["began"] <= one["began"] <= one["ended"] <= span["ended"]
    assert collector.paths[0] == "/v1/traces"
    resource = collector.resources[0]
    assert resource["service.name"] == "twindex"
    assert resource["service.version"]
    assert 'twindex_trace_spans_total{outcome="sent"}' in traced.get("/metrics").text


def test_a_write_has_spans_for_encoding_and_commit(traced, collector):
    _, others = collector.trace("PUT /v1/collections/{collection}/documents/{id}")
    assert names(others) == ["commit", "encode"]
    assert {span["attributes"]["twindex.documents"] for span in others} == {1}


def test_a_caller_sees_the_spans_in_its_own_trace(traced, collector):
    headers = {"traceparent": PARENT, "tracestate": "vendor=x"}
    traced.get("/v1/info", headers=headers)
    span, _ = collector.trace("GET /v1/info")
    assert span["trace"] == PARENT.split("-")[1]
    assert span["parent"] == PARENT.split("-")[2]


def test_a_caller_that_does_not_sample_gets_no_spans(traced, collector):
    traced.get("/v1/info", headers={"traceparent": f"{PARENT[:-2]}00"})
    traced.get("/v1/aliases")
    collector.trace("GET /v1/aliases")
    assert "GET /v1/info" not in names(collector.spans)


def test_an_invalid_parent_begins_a_new_trace(traced, collector):
    traced.get("/v1/info", headers={"traceparent": "00-zz-1-01"})
    assert collector.trace("GET /v1/info")[0]["parent"] == ""


def test_a_failed_request_names_its_error_but_not_its_text(traced, collector):
    reply = traced.post(f"{BIRDS}/search", json={"query": "marked", "limit": "marked"})
    span, _ = collector.trace("POST /v1/collections/{collection}/search")
    assert span["attributes"]["http.response.status_code"] == 422
    assert not span["failed"], "by convention, the client's mistake is no error of the server"
    assert reply.json()["trace_id"] == span["trace"]
    assert traced.get("/nothing").status_code == 404
    assert collector.trace("GET")[0]["attributes"]["http.response.status_code"] == 404


def test_a_failure_of_the_server_is_an_error(traced, collector, monkeypatch):
    service = traced.app.state.service
    monkeypatch.setattr(service.names.aliases, "resolve", None)  # Any request of it raises.
    assert traced.post(f"{BIRDS}/search", json={"query": "a"}).status_code == 500
    span, _ = collector.trace("POST /v1/collections/{collection}/search")
    assert span["failed"]
    assert span["attributes"]["error.type"] == "TypeError"
    assert span["events"] == 0, "an exception's message may contain a text"


def test_calls_of_a_models_server_continue_the_trace(
    collector, model, serve, tmp_path, fake_config
):
    file = tmp_path / "rewriters.toml"
    file.write_text(
        f'[rewriters.own]\nkind = "hyde"\nllm = {{model = "m", base_url = "{model.url}"}}\n'
    )
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rewriters=file, traces=collector.url)
    assert client.put(BIRDS, json=fake_config).status_code == 201
    client.put(f"{BIRDS}/documents/kiwi", json=KIWI)
    model.parents.clear()
    reply = client.post(f"{BIRDS}/search", json={"query": "kiwi", "rewrite": "own"})
    assert reply.json()["stages"][0]["status"] == "ran"
    span, others = collector.trace("POST /v1/collections/{collection}/search")
    calls = [one for one in others if one["kind"] == CLIENT]
    (rewrite,) = [one for one in others if one["name"] == "rewrite"]
    assert {call["parent"] for call in calls} == {rewrite["id"]}
    assert calls[0]["attributes"]["url.full"] == f"{model.url}/chat/completions"
    assert calls[0]["attributes"]["http.response.status_code"] == 200
    parents = [tuple(parent.split("-")[1:3]) for parent in model.parents]
    assert sorted(parents) == sorted((span["trace"], call["id"]) for call in calls)


def test_reranking_and_answers_have_spans(collector, serve, tmp_path, fake_config):
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.fast]\nkind = "fake"\n')
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file, traces=collector.url)
    client.put(BIRDS, json=fake_config)
    client.put(f"{BIRDS}/documents/kiwi", json=KIWI)
    client.post(f"{BIRDS}/search", json={"query": "kiwi", "rerank": {"model": "fast"}})
    _, others = collector.trace("POST /v1/collections/{collection}/search")
    (rerank,) = [one for one in others if one["name"] == "rerank"]
    assert rerank["attributes"]["twindex.part"] == "reranker 'fast'"
    client.post(f"{BIRDS}/answer", json={"question": "Which bird cannot fly?"})
    span, others = collector.trace("POST /v1/collections/{collection}/answer")
    assert {"encode", "search dense", "context", "generate"} <= set(names(others))
    (generate,) = [one for one in others if one["name"] == "generate"]
    assert generate["began"] >= span["began"]
    client.post("/v1/embeddings", json={"model": "fake", "input": "kiwi"})
    assert names(collector.trace("POST /v1/embeddings")[1]) == ["embed"]


def test_spans_name_the_key_but_no_secret_text_or_query(collector, serve, tmp_path, fake_config):
    from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key

    root = tmp_path / "data"
    root.mkdir()
    created = new_key("shop", scopes=("read", "write", "admin"))
    KeyFile(root / FILE_NAME).add(created.key)
    client = serve(root, traces=collector.url)
    client.headers["api-key"] = created.secret
    client.put(BIRDS, json=fake_config)
    document = {"text": "marked text", "title": "marked title", "metadata": {"marked": "marked"}}
    client.put(f"{BIRDS}/documents/kiwi", json=document)
    client.post(f"{BIRDS}/search", json={"query": "marked query", "filter": {"marked": "marked"}})
    assert client.get("/?collection=birds&q=marked").status_code == 200
    client.get("/v1/info", headers={"api-key": "tw_marked"})
    client.get("/v1/aliases")
    span, _ = collector.trace("POST /v1/collections/{collection}/search")
    assert span["attributes"]["twindex.key.id"] == created.key.id
    assert span["attributes"]["twindex.key.name"] == "shop"
    collector.trace("GET /v1/aliases")
    assert b"marked" not in collector.raw
    assert created.secret.encode() not in collector.raw


def test_sampling_of_nothing_sends_nothing(collector, serve, tmp_path):
    client = serve(tmp_path, traces=collector.url, traces_sampling=0.0)
    for _ in range(20):
        client.get("/v1/info")
    reply = client.get("/v1/collections/none")
    assert "trace_id" not in reply.json()
    client.get("/v1/info", headers={"traceparent": PARENT})  # The caller's decision wins.
    collector.trace("GET /v1/info")
    assert len(collector.spans) == 1


def test_a_variable_of_opentelemetry_names_the_collector(collector):
    settings = Settings()
    assert tracing_of(settings, {}) is None
    found = tracing_of(settings, {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    found.begin("one", {}, {}).finish({})
    found.close()
    assert (collector.paths, names(collector.spans)) == (["/v1/traces"], ["one"])
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        value = "true" if name.endswith("DISABLED") else "none"
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, name: value}
        assert tracing_of(settings, environment) is None


def test_the_resource_variables_apply(collector, monkeypatch):
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop-search")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    found = tracing_of(Settings(traces=collector.url), {})
    found.begin("one", {}, {}).finish({})
    found.close()
    (resource,) = collector.resources
    assert resource["service.name"] == "shop-search"
    assert resource["deployment.environment.name"] == "test"


def test_the_path_of_traces_is_added_to_an_address_without_one():
    assert endpoint("http://a:4318") == "http://a:4318/v1/traces"
    assert endpoint("http://a:4318/") == "http://a:4318/v1/traces"
    assert endpoint("http://a/otlp/v1/traces") == "http://a/otlp/v1/traces"
    for wrong in ("collector:4318", "ftp://a", "http://"):
        with pytest.raises(ConfigError, match="address of a collector"):
            endpoint(wrong)


def test_log_lines_of_a_request_have_its_trace_and_id(traced, collector, caplog):
    caplog.handler.addFilter(RequestFilter())
    traced.app.user_middleware  # noqa: B018 - the application is built
    frame = _frame(traced.app)
    frame.access_log = True
    with caplog.at_level("INFO"):
        reply = traced.post(f"{BIRDS}/search", json={"query": "kiwi"})
    (record,) = [one for one in caplog.records if one.name.endswith("middleware")]
    line = json.loads(JsonFormatter().format(record))
    span, _ = collector.trace("POST /v1/collections/{collection}/search")
    assert line["trace_id"] == span["trace"]
    assert line["request_id"] == reply.headers["x-request-id"]
    assert line["request_id"] in TextFormatter().format(record)


def _frame(app):
    found = app.middleware_stack
    while not hasattr(found, "access_log"):
        found = found.app
    return found


def test_nothing_of_opentelemetry_is_imported_without_a_collector(tmp_path):
    code = f"""
import sys, pathlib
from twindex.api.http.app import create_app
create_app(pathlib.Path({str(tmp_path)!r}))
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exp"))])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_client_continues_the_trace_of_its_program(collector, serving, tmp_path):
    import opentelemetry.propagate  # noqa: F401 - as a program does that sends spans
    from opentelemetry.context import attach, detach
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import set_span_in_context

    from twindex.api.http.app import create_app
    from twindex.client import Client

    span = TracerProvider(shutdown_on_exit=False).get_tracer("program").start_span("work")
    app = create_app(tmp_path, Settings(traces=collector.url))
    with serving(app) as url, Client(url) as client:
        token = attach(set_span_in_context(span))
        try:
            client.collections()
        finally:
            detach(token)
        found, _ = collector.trace("GET /v1/collections")
    own = span.get_span_context()
    assert found["trace"] == format(own.trace_id, "032x")
    assert found["parent"] == format(own.span_id, "016x")
