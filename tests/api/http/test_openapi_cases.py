"""Requests that schemathesis generates from the OpenAPI document, sent to the application."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
RERANKERS = '[rerankers.fast]\nkind = "fake"\n'
TEXTS = {"kiwi": "The kiwi cannot fly.", "emu": "The emu runs.", "a/b": "Swifts fly."}


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a server that listens on a port."""
    root = tmp_path_factory.mktemp("schemathesis")
    (root / "rerankers.toml").write_text(RERANKERS)
    (root / "data").mkdir()
    app = create_app(
        root / "data", Settings(rerankers=root / "rerankers.toml", queue=1_000, search_seconds=10)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            _fill(url)
            document = schemathesis.openapi.from_dict(app.openapi())
            document.config.update(base_url=url)
            yield document
        finally:
            server.should_exit = True
            thread.join()


def _fill(url: str) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.02)
        config = {
            "legs": {
                "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
                "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
                "lexical": {"kind": "lexical"},
            }
        }
        assert client.put("/v1/collections/birds", json=config).status_code == 201
        for name, text in TEXTS.items():
            path = f"/v1/collections/birds/documents/{name.replace('/', '%2F')}"
            assert client.put(path, json={"text": text}).status_code == 201


def _without_models(body: Any) -> Any:
    """Return the configuration with encoders that need no weights, because loading is slow."""
    if isinstance(body, dict):
        body = {k: "fake" if k == "model" else _without_models(v) for k, v in body.items()}
        for leg in ("dense", "sparse"):
            if body.get("kind") == leg:
                body.setdefault("encoder", {"kind": leg, "model": "fake"})
        return body
    return [_without_models(item) for item in body] if isinstance(body, list) else body


def run(document: Any, cases: int) -> None:
    """Send `cases` requests to all operations. Half of them violate their schemas."""
    operations = [result.ok() for result in document.get_all_operations()]
    strategies = [
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    failures: dict[str, str] = {}
    session = requests.Session()

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(strategies))
    def check(case: Any) -> None:
        if "collection" in case.path_parameters and len(str(case.body)) % 3:
            case.path_parameters["collection"] = (
                "birds"  # Most requests use an existing collection.
            )
        if case.operation.definition.raw["operationId"] == "create_collection":
            case.body = _without_models(case.body)
            if not isinstance(case.body, dict) or not case.body.get("legs"):
                case.body = {"legs": {"lexical": {"kind": "lexical"}}}
        response = case.call(session=session, timeout=60)
        try:
            case.validate_response(response, checks=CHECKS)
        except Exception as failure:  # noqa: BLE001 - every kind is collected by operation
            failures.setdefault(f"{case.method} {case.path} {response.status_code}", str(failure))

    with session:
        check()
    assert not failures, "\n\n".join(f"{key}: {text}" for key, text in failures.items())


def test_a_hundred_cases_agree_with_the_document(schema):
    run(schema, 120)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_ten_thousand_cases_agree_with_the_document(schema):
    run(schema, 10_000)
