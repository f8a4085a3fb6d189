"""Requests that schemathesis generates from the OpenAPI document, sent to the application."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import requests
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from twindex.api.http.app import create_app
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.settings import Settings

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
FILES = {
    "rerankers.toml": '[rerankers.fast]\nkind = "fake"\n',
    "generators.toml": '[generators.short]\nkind = "extractive"\nsentences = 1\n',
}
TEXTS = {"kiwi": "The kiwi cannot fly.", "emu": "The emu runs.", "a/b": "Swifts fly."}


@pytest.fixture(scope="module", params=["without keys", "with keys"])
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The document of a server that listens on a port, and the headers of its keys."""
    root = tmp_path_factory.mktemp("schemathesis")
    for name, text in FILES.items():
        (root / name).write_text(text)
    (root / "data").mkdir()
    headers = _keys(root / "data") if request.param == "with keys" else [{}]
    files = {name.removesuffix(".toml"): root / name for name in FILES}
    given = Settings(snapshots=str(root / "backups"), snapshots_keep=2, queue=1_000,
                     search_seconds=10, **files)  # fmt: skip
    app = create_app(root / "data", given)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            _fill(url, headers[0])
            document = schemathesis.openapi.from_dict(app.openapi())
            document.config.update(base_url=url)
            yield document, headers
        finally:
            server.should_exit = True
            thread.join()


def _keys(root: Path) -> list[dict[str, str]]:
    """Create keys. Return the headers of each: all scopes, one scope, a filter, a wrong key."""
    file = KeyFile(root / FILE_NAME)
    made = [
        new_key("all", scopes=("read", "write", "admin")),
        new_key("all", scopes=("read", "write", "admin")),
        new_key("reader", scopes=("read",)),
        new_key("writer", scopes=("write",)),
        new_key("part", scopes=("read", "write"), filter={"year": {"lt": 3}}),
        new_key("other", scopes=("read", "write", "admin"), collections=("other-*",)),
    ]
    for one in made:
        file.add(one.key)
    return [{"api-key": one.secret} for one in made] + [{"api-key": "wrong"}, {}]


def _fill(url: str, headers: dict[str, str]) -> None:
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
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


def run(document: Any, headers: Sequence[dict[str, str]], counts: Iterable[int]) -> Counter[int]:
    """Send requests to all operations. Half of them violate their schemas.

    headers: of the keys, of which each request has one.
    counts: number of requests of each part, which is generated from a number of its own.

    Returns status -> number of replies.
    """
    operations = [result.ok() for result in document.get_all_operations()]
    strategies = [
        operation.as_strategy(generation_mode=mode)
        for operation in operations
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    failures: dict[str, str] = {}
    statuses: Counter[int] = Counter()
    session = requests.Session()

    def check(case: Any, key: dict[str, str]) -> None:
        if "collection" in case.path_parameters and len(str(case.body)) % 3:
            case.path_parameters["collection"] = (
                "birds"  # Most requests use an existing collection.
            )
        if case.operation.definition.raw["operationId"] == "create_collection":
            case.body = _without_models(case.body)
            if not isinstance(case.body, dict) or not case.body.get("legs"):
                case.body = {"legs": {"lexical": {"kind": "lexical"}}}
        response = case.call(session=session, timeout=60, headers=key)
        statuses[response.status_code] += 1
        if response.status_code == 504 and "longer than its `timeout_ms`" in response.text:
            return  # As the request wants: its limit is often almost 0.
        try:
            case.validate_response(response, checks=CHECKS)
        except Exception as failure:  # noqa: BLE001 - every kind is collected by operation
            failures.setdefault(f"{case.method} {case.path} {response.status_code}", str(failure))

    examples = given(st.one_of(strategies), st.sampled_from(headers))
    with session:
        for number, cases in enumerate(counts):
            part = settings(
                max_examples=cases,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            seed(number)(part(examples(lambda case, key: check(case, key))))()
    assert not failures, "\n\n".join(f"{key}: {text}" for key, text in failures.items())
    return statuses


def test_a_hundred_cases_agree_with_the_document(target):
    document, headers = target
    statuses = run(document, headers, [120])
    assert len(headers) == 1 or statuses[401]


@pytest.mark.slow
@pytest.mark.trials(50)
@pytest.mark.timeout(7_200)
def test_ten_thousand_cases_agree_with_the_document(target, trials, record_property):
    """200 cases in each trial."""
    document, headers = target
    statuses = run(document, headers, (200 for _ in trials))
    record_property("cases", statuses.total())
    record_property("keys", len(headers))
    print(statuses)
