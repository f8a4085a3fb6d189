"""The OpenAPI document is valid, complete and correct about security."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from twindex.api.http.app import create_app
from twindex.api.serving.settings import OPEN_PATHS, Settings


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of a server without a key. Tests do not change it."""
    return create_app(tmp_path_factory.mktemp("root"), Settings()).openapi()


def operations(given: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path, found) for path, each in given["paths"].items() for found in each.values()]


def test_the_document_is_valid(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_operation_ids_are_names(document):
    found = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in found)
    assert {"search", "put_document", "write_bulk", "create_collection"} <= set(found)


def test_every_operation_is_described(document):
    tags = {tag["name"] for tag in document["tags"]}
    for path, operation in operations(document):
        assert operation["summary"], path
        assert operation["description"], path
        assert set(operation["tags"]) <= tags, path
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, parameter["name"])
        for status, response in operation["responses"].items():
            assert response["description"], (path, status)
            if status not in ("204", "304") and (path, status) != ("/health", "200"):
                assert all(content["schema"] for content in response["content"].values()), path
            if status >= "400" and path not in ("/readyz", "/healthz", "/health"):
                compatible = operation["tags"] == ["compatible"] and "/rerank" not in path
                kind = "application/json" if compatible else "application/problem+json"
                assert list(response["content"]) == [kind], (path, status)


@pytest.mark.parametrize("key", [None, "secret"])
def test_declared_security_matches_enforced_security(serve, key):
    client = serve(api_key=key)
    given = client.app.openapi()
    schemes = set(given["components"]["securitySchemes"])
    for path, methods in given["paths"].items():
        for method, operation in methods.items():
            url = path.replace("{collection}", "c").replace("{id}", "i")
            status = client.request(method, url, headers={"host": "localhost"}).status_code
            security = operation["security"]
            assert {name for one in security for name in one} <= schemes
            assert (status == 401) == (bool(security) and {} not in security), (method, path)
            assert security == [] if path in OPEN_PATHS else security


def test_each_security_scheme_is_accepted(serve):
    client = serve(api_key="secret")
    assert client.get("/v1/info").status_code == 401
    headers = {
        "bearer": {"authorization": "Bearer secret"},
        "basic": {"authorization": "Basic dXNlcjpzZWNyZXQ="},
        "key": {"api-key": "secret"},
    }
    assert set(headers) == set(client.app.openapi()["components"]["securitySchemes"])
    for shown, given in headers.items():
        assert client.get("/v1/info", headers=given).status_code == 200, shown


def test_no_default_is_an_object(document):
    """Client generators skip the schema of a field whose default is an object."""

    def check(value: Any) -> None:
        if isinstance(value, dict):
            assert not ("default" in value and isinstance(value["default"], dict)), value
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(document["components"]["schemas"])


def test_bulk_accepts_a_content_type_that_generators_know(serve, document, fake_config):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    bulk = document["paths"]["/v1/collections/{collection}/documents/bulk"]["post"]
    assert "application/octet-stream" in bulk["requestBody"]["content"]
    response = client.post(
        "/v1/collections/birds/documents/bulk",
        content=b'{"id": "kiwi", "text": "x"}\n',
        headers={"content-type": "application/octet-stream"},
    )
    assert response.json()["items"] == [{"id": "kiwi", "status": 200}]


def test_the_kind_of_a_union_member_is_required(serve, document, problem):
    """The server rejects a document without the kind, so the schema must require it."""
    schemas = document["components"]["schemas"]
    unions = 0

    def check(value: Any) -> None:
        nonlocal unions
        if isinstance(value, dict):
            if "oneOf" in value:
                unions += 1
                # Without a discriminator, an object without a kind is the first member.
                kinds = [member for member in value["oneOf"] if "$ref" in member]
                for member in kinds["discriminator" not in value :]:
                    assert "kind" in schemas[member["$ref"].rpartition("/")[2]]["required"], member
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)

    check(schemas)
    assert unions >= 5
    client = serve()
    problem(client.put("/v1/collections/birds", json={"legs": {"words": {}}}), 422, "invalid")
    late = {"legs": {"late": {"kind": "dense", "encoder": {"model": "fake", "nbits": 2}}}}
    problem(client.put("/v1/collections/birds", json=late), 422, "invalid")
    named = {"legs": {"words": {"kind": "lexical"}}}
    assert client.put("/v1/collections/birds", json=named).status_code == 201
