"""POST /v1/search: several collections in one request."""

from __future__ import annotations

import json

import pytest

from twindex.api.serving.access import keyring
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key

CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
STORED = {
    "sea": [
        {"id": "gull", "text": "bird wing", "metadata": {"tenant": "a", "year": 2001}},
        {"id": "auk", "text": "bird wing bird", "metadata": {"tenant": "b", "year": 1999}},
    ],
    "land": [{"id": "kiwi", "text": "bird", "metadata": {"tenant": "a", "year": 1813}}],
}


def fill(client, **headers: str) -> None:
    for name, documents in STORED.items():
        assert client.put(f"/v1/collections/{name}", json=CONFIG, headers=headers).is_success
        lines = "\n".join(map(json.dumps, documents))
        kind = {"content-type": "application/x-ndjson", **headers}
        path = f"/v1/collections/{name}/documents/bulk"
        assert client.post(path, content=lines, headers=kind).is_success


@pytest.fixture
def birds(client):
    fill(client)
    return client


def search(client, status: int = 200, headers: dict[str, str] | None = None, **fields):
    body = {"collections": ["sea", "land"], "query": "bird", **fields}
    reply = client.post("/v1/search", json=body, headers=headers)
    assert reply.status_code == status, reply.text
    return reply.json()


def test_hits_say_their_collection(birds):
    found = search(birds, facets=["tenant"], limit=2)
    assert [(one["collection"], one["rank"]) for one in found["hits"]] == [("sea", 1), ("land", 1)]
    assert found["hits"][0]["merged_score"] == 1 / 61
    assert {"id", "score", "legs", "text", "metadata"} <= found["hits"][0].keys()
    assert found["total"] == {"value": 3, "relation": "eq"}
    assert [one["total"]["value"] for one in found["collections"]] == [2, 1]
    assert found["collections"][0]["index"]["encoder"] == {"lexical": "en"}
    assert found["facets"][0]["counts"] == [
        {"value": "a", "count": 2},
        {"value": "b", "count": 1},
    ]
    assert found["warnings"] == []


def test_an_alias_is_a_collection(birds):
    action = {"action": "set", "alias": "current", "collection": "sea"}
    assert birds.post("/v1/aliases", json={"actions": [action]}).is_success
    found = search(birds, collections=["current"])
    assert {one["collection"] for one in found["hits"]} == {"current"}


def test_an_unknown_collection_is_named_or_left_out(birds):
    assert "'lend'; did you mean 'land'?" in search(birds, 404, collections=["lend"])["detail"]
    found = search(birds, collections=["sea", "lend"], on_error="skip")
    assert {one["collection"] for one in found["hits"]} == {"sea"}
    assert found["collections"][1] == {
        "name": "lend",
        "error": "no collection 'lend'; did you mean 'land'?",
    }
    assert found["warnings"] == ["lend: left out: no collection 'lend'; did you mean 'land'?"]


def test_wrong_fields_are_named(birds):
    assert search(birds, 422, collections=[])["errors"][0]["field"] == "collections"
    assert search(birds, 422, merge="best")["errors"][0]["field"] == "merge"
    assert "`group` is not supported" in search(birds, 422, group="year")["detail"]
    detail = search(birds, 422, legs=["dense"])["detail"]
    assert "collection 'sea'" in detail
    assert "dense" in detail


def test_a_time_limit_holds_for_all_collections_together(birds):
    assert search(birds, timeout_ms=60_000)["total"]["value"] == 3
    assert search(birds, 504, timeout_ms=0.001, on_error="skip")["code"] == "deadline"


@pytest.fixture
def keyed(serve, tmp_path, monkeypatch):
    monkeypatch.setattr(keyring, "CHECK_SECONDS", 0.0)
    file = KeyFile(tmp_path / FILE_NAME)

    def key(*scopes: str, **fields) -> dict[str, str]:
        created = new_key("test", scopes=scopes, **fields)
        file.add(created.key)
        return {"api-key": created.secret}

    admin = key("read", "write", "admin")
    client = serve()
    fill(client, **admin)
    return client, key


def test_a_key_sees_its_collections_and_its_documents(keyed):
    client, key = keyed
    tenant = key("read", filter={"tenant": "a"})
    found = search(client, headers=tenant, facets=["tenant", "year"])
    assert [one["id"] for one in found["hits"]] == ["gull", "kiwi"]
    assert found["total"]["value"] == 2
    assert [one["value"] for one in found["facets"][0]["counts"]] == ["a"]
    assert (found["facets"][1]["minimum"], found["facets"][1]["maximum"]) == (1813, 2001)
    part = key("read", collections=["land"])
    assert "'sea'" in search(client, 404, headers=part)["detail"]
    found = search(client, headers=part, on_error="skip")
    assert [one["id"] for one in found["hits"]] == ["kiwi"]
    assert search(client, 403, headers=key("write"))["code"] == "forbidden"
    assert search(client, 401)["code"] == "unauthorized"
