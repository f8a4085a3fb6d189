"""Health, metrics, request ids, the API key, limits and unexpected errors."""

from __future__ import annotations

import base64
import gc
import logging
from threading import Event

import pytest
from fastapi.testclient import TestClient

from twindex.api.http.app import create_app
from twindex.api.http.shapes.operations import Health, Info
from twindex.api.serving.settings import Settings

SEARCH = "/v1/collections/birds/search"


def test_health_and_info(client):
    assert client.get("/livez").json() == {"status": "ok"}
    for path in ("/readyz", "/healthz"):
        health = Health.model_validate(client.get(path).json())
        assert (health.status, health.collections) == ("ok", {"birds": "ready"})
    info = Info.model_validate(client.get("/v1/info").json())
    assert info.collections == 1
    assert info.limits["max_body_bytes"] == 16 << 20


def test_probes_ignore_query_parameters_and_other_paths_refuse_unknown_ones(client, problem):
    paths = client.get("/openapi.json").json()["paths"]
    reads = {path for path, operations in paths.items() if "get" in operations}
    probes = {"/livez", "/readyz", "/healthz", "/health"}
    assert reads > probes
    for path in reads:
        filled = path.replace("{collection}", "birds").replace("{id}", "1")
        reply = client.get(filled, params={"monitor": "a"})
        if path in probes:
            assert reply.status_code == 200, path
        else:
            assert reply.status_code == 422, path
            assert "monitor" in reply.text, path


def test_metrics_name_routes_and_not_ids(client):
    client.post(SEARCH, json={"query": "fly"})
    client.get("/v1/collections/birds/documents/nope")
    client.get("/wp-login.php")
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = response.text
    route = "/v1/collections/{collection}/search"
    assert f'twindex_requests_total{{method="POST",route="{route}",status="200"}} 1.0' in text
    route = "/v1/collections/{collection}/documents/{id:text}"
    assert f'twindex_requests_total{{method="GET",route="{route}",status="404"}} 1.0' in text
    assert 'route="unmatched",status="404"' in text
    assert 'twindex_search_stage_seconds_count{stage="fuse"} 1.0' in text
    assert 'twindex_documents{collection="birds"} 3.0' in text
    assert "nope" not in text
    assert "wp-login" not in text


def test_request_ids(client, problem):
    for given in ("abc-1.2:3_4", "x" * 128):
        response = client.post(SEARCH, json={"query": "fly"}, headers={"x-request-id": given})
        assert response.headers["x-request-id"] == response.json()["request_id"] == given
    for given in ("", "a b", "x" * 129, "<script>"):
        response = client.get("/nope", headers={"x-request-id": given})
        details = problem(response, 404, "not_found")
        assert details.request_id != given
    first, second = (client.get("/livez").headers["x-request-id"] for _ in range(2))
    assert first != second


def test_traceparent_is_echoed(client):
    given = f"00-{'a' * 32}-{'b' * 16}-01"
    assert client.get("/livez", headers={"traceparent": given}).headers["traceparent"] == given
    assert "traceparent" not in client.get("/livez", headers={"traceparent": "x"}).headers


def test_pages_of_other_sites_may_only_read(client, problem):
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://localhost:3000"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:3000", "host": "127.0.0.1:3000"},
    ):
        response = client.post("/v1/collections/birds/merge", headers=headers)
        problem(response, 403, "forbidden")
        assert client.get("/v1/info", headers=headers).status_code == 200
    for headers in (
        {"sec-fetch-site": "same-origin", "origin": "http://localhost"},
        {"sec-fetch-site": "none"},
        {"origin": "https://[::1]:8080", "host": "[::1]:8080"},
    ):
        assert client.post("/v1/collections/birds/merge", headers=headers).status_code == 202


def test_an_unknown_host_is_rejected(serve, problem):
    client = serve(allowed_hosts="Search.example, behind.example:8443")
    for host in ("evil.example", "evil.example:80", "localhost.evil.example", "1.2.3.4.evil", "x"):
        problem(client.get("/v1/info", headers={"host": host}), 403, "forbidden")
        problem(client.get("/", headers={"host": host}), 403, "forbidden")
        assert client.get("/livez", headers={"host": host}).status_code == 200
        assert client.get("/readyz", headers={"host": host}).status_code == 200
    for host in ("localhost:1", "127.0.0.1:8080", "10.0.0.7", "[::1]", "search.example:80"):
        assert client.get("/v1/info", headers={"host": host}).status_code == 200
    assert client.get("/v1/info", headers={"host": "behind.example:8443"}).status_code == 200
    headers = {"origin": "https://search.example", "host": "10.0.0.7:8080"}
    assert client.post("/v1/jobs", headers=headers).status_code == 405
    problem(
        client.post("/v1/jobs", headers={"origin": "https://search.example:1"}), 403, "forbidden"
    )


def test_the_listen_host_is_allowed_and_any_host_with_a_key(serve, tmp_path):
    with TestClient(create_app(tmp_path, host="Birds.lan"), "http://birds.lan:8080") as client:
        assert client.get("/v1/info").status_code == 200
    guarded = serve(api_key="k")
    headers = {"host": "any.example", "api-key": "k"}
    assert guarded.get("/v1/info", headers=headers).status_code == 200


def test_head_is_get_without_a_body(client):
    for path in ("/", "/docs", "/livez", "/v1/collections", "/static/style.css", "/nope"):
        head, get = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers["content-type"] == get.headers["content-type"]


KEY = "s3cret-k3y"


@pytest.fixture
def guarded(serve):
    return serve(api_key=KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": b"Bearer " + KEY.encode()},
        {"authorization": b"bearer " + KEY.encode()},
        {"api-key": KEY.encode()},
        {"authorization": b"Basic " + base64.b64encode(b"anybody:" + KEY.encode())},
    ],
)
def test_requests_with_the_key_are_accepted(guarded, headers):
    assert guarded.get("/v1/collections", headers=headers).status_code == 200
    assert guarded.get("/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": KEY.encode()},
        {"authorization": "Basic !"},
        {"authorization": "Basic eA=="},
        {"api-key": ""},
    ],
)
def test_requests_without_the_key_are_rejected(guarded, headers, caplog, problem):
    with caplog.at_level(logging.DEBUG):
        for path in ("/v1/collections", "/metrics", "/", "/docs", "/healthz", "/static/style.css"):
            response = guarded.get(path, headers=headers)
            details = problem(response, 401, "unauthorized")
            assert KEY not in details.model_dump_json()
        assert guarded.get("/v1/collections").headers["www-authenticate"].startswith("Bearer")
        assert guarded.get("/").headers["www-authenticate"].startswith("Basic")
        assert guarded.get("/livez").status_code == 200
        assert guarded.get("/readyz").status_code == 200
    assert KEY not in caplog.text


def test_too_many_waiting_requests_are_429(serve, fake_config, monkeypatch, problem):
    client = serve(threads=1, queue=1)
    client.put("/v1/collections/birds", json=fake_config)
    collection = client.app.state.service._served["birds"].collection
    begun, go_on = Event(), Event()
    search = collection.search

    def slow(request, **_):
        begun.set()
        go_on.wait(30)
        return search(request)

    monkeypatch.setattr(collection, "search", slow)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(client.post, SEARCH, json={"query": "a"})
        begun.wait(30)
        others = [pool.submit(client.post, SEARCH, json={"query": "b"}) for _ in range(2)]
        refused = next(r.result() for r in _as_completed(others))
        assert refused.headers["retry-after"] == "1"
        problem(refused, 429, "too_many_requests")
        assert client.get("/livez").status_code == 200  # It does not wait in the queue.
        go_on.set()
        statuses = sorted(r.result().status_code for r in [first, *others])
    assert statuses == [200, 200, 429]
    assert client.post(SEARCH, json={"query": "c"}).status_code == 200


def _as_completed(futures):
    from concurrent.futures import as_completed

    return as_completed(futures, timeout=30)


def test_an_unexpected_error_shows_only_its_request_id(client, monkeypatch, caplog, problem):
    collection = client.app.state.service._served["birds"].collection

    def fail(request, **_):
        raise ZeroDivisionError("internals")

    monkeypatch.setattr(collection, "search", fail)
    response = client.post(SEARCH, json={"query": "x"}, headers={"x-request-id": "find-me"})
    details = problem(response, 500, "internal")
    assert "internals" not in response.text
    assert "ZeroDivision" not in response.text
    assert details.request_id == "find-me"
    assert "find-me" in caplog.text
    assert "internals" in caplog.text


def test_the_openapi_document_is_complete(client):
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]

    def references(value):
        if isinstance(value, dict):
            if "$ref" in value:
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], (method, path)
            assert operation["description"], (method, path)
            # Bodies and errors are declared.
            if path.startswith("/v1/collections/{"):
                assert "404" in operation["responses"] or method == "put", (method, path)
    body = document["paths"]["/v1/collections/{collection}/search"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/SearchRequest"}
    assert "fusion" in schemas["SearchRequest"]["properties"]


def test_access_log(serve, caplog):
    with caplog.at_level(logging.INFO):
        client = serve(access_log=True)
        client.get("/livez", headers={"x-request-id": "seen"})
    assert "GET /livez 200" in caplog.text
    assert "seen" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "name", "known"),
    [
        ("POST", "/v1/collections/birds/documents/bulk?asynk=true", "asynk", "async, on_error"),
        (
            "GET",
            "/v1/collections/birds/documents?limit=3&p=",
            "p",
            "after, as_of, cursor, filter, limit",
        ),
        ("POST", "/v1/collections/birds/search?limit=3", "limit", "none"),
        ("DELETE", "/v1/collections/birds?force=true", "force", "none"),
        ("GET", "/v1/jobs?x=1", "x", "none"),
        ("GET", "/v1/info?x=1", "x", "none"),
        ("GET", "/metrics?name=a", "name", "none"),
    ],
)
def test_unknown_query_parameters_are_rejected(client, problem, method, path, name, known):
    details = problem(client.request(method, path), 422, "invalid")
    assert details.errors[0].field == name
    assert details.detail.endswith(f"known: {known}")


def test_a_stopped_server_unfreezes_garbage_collection(tmp_path, wait_until_ready):
    with TestClient(create_app(tmp_path, Settings()), "http://localhost") as client:
        wait_until_ready(client)
        client.app.state.service._loading.join()
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
