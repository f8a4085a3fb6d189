"""A path that the server does not have gets the error that its clients read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from twindex.api.http.compat.errors import NATIVE, cohere, error_shape, openai, tei

OPENAI = [
    ("POST", "/v1/completions"),
    ("POST", "/v1/moderations"),
    ("GET", "/v1/files"),
    ("POST", "/v1/threads"),
    ("POST", "/v1/images/generations"),
    ("POST", "/v1/audio/transcriptions"),
    ("POST", "/v1/vector_stores"),
    ("GET", "/v1/vector_stores/birds"),
    ("GET", "/v1/responses/resp_1"),
    ("GET", "/v1/chat/completions/chatcmpl-1/messages"),
    ("GET", "/v1/nonsense"),
]


@pytest.mark.parametrize(("method", "path"), OPENAI)
def test_a_path_of_openai_that_is_not_offered_has_its_error(server, method, path):
    reply = server.http.request(method, path)
    assert reply.status_code == 404
    error = reply.json()["error"]
    assert error["code"] == "unknown_url"
    assert error["type"] == "not_found_error"
    assert error["message"].startswith("no such path")
    assert set(reply.json()) == {"error"}


def test_openais_client_raises_its_own_error(openai):
    import openai as package

    for call in (
        lambda: openai.completions.create(model="rag:birds", prompt="a"),
        lambda: openai.moderations.create(input="a"),
        lambda: openai.files.list(),
        lambda: openai.vector_stores.create(),
        lambda: openai.responses.retrieve("resp_1"),
    ):
        with pytest.raises(package.NotFoundError) as raised:
            call()
        assert raised.value.code == "unknown_url"


def test_a_base_url_without_its_version_is_explained(server):
    import openai as package

    key = server.http.headers["authorization"].removeprefix("Bearer ")
    with package.OpenAI(base_url=server.url, api_key=key, max_retries=0) as client:
        with pytest.raises(package.NotFoundError) as raised:
            client.chat.completions.create(
                model="rag:birds", messages=[{"role": "user", "content": "a"}]
            )
        assert raised.value.code == "unknown_url"
        assert "did you mean '/v1/chat/completions'?" in raised.value.message


@pytest.mark.parametrize("path", ["/v2/batches", "/v2/parse", "/v2/chat/x", "/v1/datasets"])
def test_a_path_of_cohere_that_is_not_offered_has_its_error(server, path):
    reply = server.http.get(path)
    assert reply.status_code == 404
    assert set(reply.json()) == {"id", "message", "code", "errors"}
    assert reply.json()["message"].startswith("no such path")


def test_coheres_client_raises_its_own_error(cohere):
    import cohere as package

    with pytest.raises(package.NotFoundError) as raised:
        cohere.datasets.list()
    assert raised.value.body["message"].startswith("no such path")


@pytest.mark.parametrize("path", ["/predict", "/embed_all", "/tokenize", "/similarity"])
def test_a_path_of_tei_that_is_not_offered_has_its_error(server, path):
    reply = server.http.post(path, json={})
    assert reply.status_code == 404
    assert reply.json()["error_type"] == "Validation"


@pytest.mark.parametrize("path", ["/v1/collections/birds/nonsense", "/v1/jobs/1/2", "/nonsense"])
def test_own_paths_keep_problem_details(server, path):
    reply = server.http.get(path)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "not_found"


def test_every_native_path_has_problem_details(server):
    operations = {
        path: next(iter(methods.values()))
        for path, methods in server.http.get("/openapi.json").json()["paths"].items()
    }
    for path, operation in operations.items():
        native = "compatible" not in operation["tags"] and path.startswith("/v1/")
        first = path.removeprefix("/v1/").partition("/")[0]
        assert (first in NATIVE) == (native and first != "models"), path


def sources(package: str, pattern: str) -> list[str]:
    """Return the paths in the source of an official client that a pattern finds."""
    module = pytest.importorskip(package, reason=f"{package} is not installed")
    root = Path(module.__file__).parent
    return sorted(
        {one for file in root.rglob("*.py") for one in re.findall(pattern, file.read_text())}
    )


def test_every_path_of_the_official_clients_has_their_error():
    found = sources(
        "openai", r"self\._(?:get|post|delete|get_api_list)\(\s*f?[\"'](/[a-z_]+[^\"'?]*)"
    )
    assert len(found) > 50
    for path in found:
        expected = "both" if path.startswith("/models") else openai.__name__
        assert error_shape(f"/v1{path}").__name__ == expected, path
    found = sources("cohere", r"[\"'](v[12]/[a-z_-]+[^\"'?]*)[\"']")
    assert len(found) > 15
    for path in found:
        shape = error_shape(f"/{path}")
        if path not in ("v1/rerank",):
            assert shape is not None, path
            assert shape.__name__ in (cohere.__name__, "both"), path


def test_the_forms_are_chosen_by_path():
    assert error_shape("/embed_all") is tei
    assert error_shape("/v1/chat") is cohere
    assert error_shape("/v1/chat/x") is openai
