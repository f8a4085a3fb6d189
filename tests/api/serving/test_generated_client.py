"""A Python client generated from the OpenAPI document works with a real server."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO
from types import SimpleNamespace

import httpx2
import pytest

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings

KEY = "a-key"
GENERATE = """
import sys
from pathlib import Path

from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType

found = generate(
    config=Config.from_sources(
        ConfigFile(post_hooks=[]),
        MetaType.NONE,
        document_source=Path(sys.argv[1]),
        file_encoding="utf-8",
        overwrite=True,
        output_path=Path(sys.argv[2]),
    )
)
for problem in found:
    print(problem.header, problem.detail)
"""
PACKAGE = "twindex_generated_client"
OPERATIONS = {
    "collections": ["create_collection", "describe_collection", "list_collections"],
    "documents": [
        "put_document",
        "get_document",
        "list_documents",
        "write_bulk",
        "delete_document",
        "delete_documents",
    ],
    "search": ["search", "search_batch", "rerank"],
}


@pytest.fixture(scope="module")
def address(serving, tmp_path_factory):
    """A server that requires a key."""
    root = tmp_path_factory.mktemp("root")
    with serving(create_app(root, Settings(api_key=KEY))) as address:
        yield address


@pytest.fixture(scope="module")
def generated(address, tmp_path_factory):
    """The generated client: functions by operation id, models, and warnings."""
    for name in ("openapi_python_client", "ruamel.yaml", "httpx", "dateutil"):
        if find_spec(name.partition(".")[0]) is None:
            pytest.skip(f"{name} is not installed; `make setup` installs it")
    folder = tmp_path_factory.mktemp("client")
    keyed = {"authorization": f"Bearer {KEY}"}
    (folder / "openapi.json").write_bytes(
        httpx2.get(f"{address}/openapi.json", headers=keyed, timeout=60).raise_for_status().content
    )
    made = subprocess.run(
        [sys.executable, "-c", GENERATE, folder / "openapi.json", folder / PACKAGE],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    sys.path.insert(0, str(folder))
    try:
        functions = {
            name: importlib.import_module(f"{PACKAGE}.api.{tag}.{name}").sync_detailed
            for tag, names in OPERATIONS.items()
            for name in names
        }
        package = importlib.import_module(PACKAGE)
        yield SimpleNamespace(
            **functions,
            models=importlib.import_module(f"{PACKAGE}.models"),
            file=importlib.import_module(f"{PACKAGE}.types").File,
            client=package.AuthenticatedClient,
            output=made.stdout.splitlines(),
        )
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


@pytest.fixture
def client(generated, address):
    with generated.client(base_url=address, token=KEY) as client:
        yield client


@pytest.fixture
def birds(generated, client, fake_config, request):
    """A new collection with one document."""
    models, name = generated.models, request.node.name
    config = models.CollectionConfig.from_dict(fake_config)
    made = generated.create_collection(name, client=client, body=config)
    assert made.status_code == 201
    assert isinstance(made.parsed, models.CollectionInfo)
    body = models.DocumentBody.from_dict(
        {"title": "Kiwi", "text": "The kiwi cannot fly.", "metadata": {"year": 1813}}
    )
    for id_ in ("kiwi", "a/b ü?#"):
        put = generated.put_document(name, id_, client=client, body=body)
        assert put.status_code == 201, put.content
        assert isinstance(put.parsed, models.Written)
    return name


def test_the_generator_keeps_every_operation(generated):
    dropped = [line for line in generated.output if "WARNING" in line or "ERROR" in line]
    bulk = "documents/bulk within documents. Unsupported content type application/x-ndjson"
    assert [line for line in dropped if bulk not in line] == []
    assert callable(generated.write_bulk), "it takes application/octet-stream"


def test_documents_are_written_and_read(generated, client, birds):
    for id_ in ("kiwi", "a/b ü?#"):
        found = generated.get_document(birds, id_, client=client).parsed
        assert (found.id, found.title, found.metadata["year"]) == (id_, "Kiwi", 1813)
    page = generated.list_documents(birds, client=client, limit=1).parsed
    assert (len(page.documents), page.total) == (1, 2)
    rest = generated.list_documents(birds, client=client, cursor=page.next_cursor).parsed
    assert {page.documents[0].id, rest.documents[0].id} == {"kiwi", "a/b ü?#"}
    missing = generated.get_document(birds, "none", client=client)
    assert missing.status_code == 404
    assert isinstance(missing.parsed, generated.models.ProblemDetails)
    assert missing.parsed.code == "not_found"


def test_bulk_and_delete(generated, client, birds):
    lines = [{"id": f"n{i}", "text": f"bird {i}"} for i in range(20)] + [{"id": "bad"}]
    payload = BytesIO("\n".join(map(json.dumps, lines)).encode())
    reply = generated.write_bulk(birds, client=client, body=generated.file(payload=payload))
    assert reply.status_code == 200, reply.content
    assert [item.status for item in reply.parsed.items] == [200] * 20 + [422]
    assert reply.parsed.errors is True
    payload = BytesIO(b'{"id": "later", "text": "bird"}\n')
    job = generated.write_bulk(
        birds, client=client, body=generated.file(payload=payload), async_=True
    )
    assert job.status_code == 202
    assert isinstance(job.parsed, generated.models.JobReply)
    assert generated.delete_document(birds, "n0", client=client).status_code == 204
    assert generated.get_document(birds, "n0", client=client).status_code == 404
    some = generated.models.DeleteRequest.from_dict({"ids": [f"n{i}" for i in range(1, 20)]})
    assert generated.delete_documents(birds, client=client, body=some).parsed.deleted == 19


def test_search(generated, client, birds):
    models = generated.models
    search = models.SearchRequest.from_dict(
        {"query": "kiwi fly", "fusion": {"method": "rrf"}, "explain": True, "limit": 1}
    )
    reply = generated.search(birds, client=client, body=search).parsed
    assert isinstance(reply, models.SearchReply)
    assert len(reply.hits) == 1
    assert reply.hits[0].id in ("kiwi", "a/b ü?#")
    assert reply.hits[0].score > 0
    assert reply.total.value == 2
    plain = generated.search(birds, client=client, body=models.SearchRequest(query="kiwi"))
    assert plain.status_code == 200, "without any other field"
    batch = models.BatchRequest(requests=[search, models.SearchRequest(query="fly")])
    found = generated.search_batch(birds, client=client, body=batch).parsed
    assert [len(result.hits) for result in found.results] == [1, 2]
    wrong = models.SearchRequest.from_dict({"query": "kiwi", "limit": 0})
    refused = generated.search(birds, client=client, body=wrong)
    assert (refused.status_code, refused.parsed.errors[0].field) == (422, "limit")


def test_the_generated_client_needs_the_key(generated, address):
    with generated.client(base_url=address, token="another") as client:
        reply = generated.list_collections(client=client)
    assert (reply.status_code, reply.parsed.code) == (401, "unauthorized")
