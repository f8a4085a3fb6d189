"""Versions of documents over REST, and through the client."""

from __future__ import annotations

import pytest

from twindex.core import GoneError

CONFIG = {
    "legs": {"lexical": {"kind": "lexical", "encoder": {"language": "none"}}},
    "history": {"days": 30},
}


@pytest.fixture
def birds(client):
    assert client.put("/v1/collections/h", json=CONFIG).status_code == 201
    for text in ("one kiwi", "two kiwi"):
        headers = {"X-Request-Id": f"request-{text[:3]}"}
        body = {"text": text, "metadata": {"n": len(text)}}
        client.put("/v1/collections/h/documents/a%2Fb", json=body, headers=headers)
    return "/v1/collections/h"


def test_versions_are_listed_read_searched_and_reverted(client, birds):
    one = f"{birds}/documents/a%2Fb"
    versions = client.get(f"{one}/history").json()["versions"]
    assert [v["document"]["text"] for v in versions] == ["two kiwi", "one kiwi"]
    assert [v["request_id"] for v in versions] == ["request-two", "request-one"]
    assert versions[1]["superseded"] == versions[0]["recorded"]
    commit = versions[1]["recorded"]
    assert client.get(one, params={"as_of": commit}).json()["text"] == "one kiwi"
    at = versions[1]["recorded_at"]
    assert client.get(one, params={"as_of": at}).status_code in (200, 404)  # In one millisecond.
    page = client.get(f"{birds}/documents", params={"as_of": commit}).json()
    assert [d["text"] for d in page["documents"]] == ["one kiwi"]
    body = {"query": "kiwi", "as_of": commit}
    found = client.post(f"{birds}/search", json=body).json()
    assert [hit["text"] for hit in found["hits"]] == ["one kiwi"]
    reply = client.post(f"{one}/revert", json={"version": versions[1]["version"]})
    assert (reply.status_code, reply.json()["created"]) == (200, False)
    assert client.get(one).json()["text"] == "one kiwi"


@pytest.mark.parametrize("as_of", ["2020-01-01", "2020-01-01T00:00:00Z"])
def test_a_state_beyond_the_horizon_is_410_with_the_horizon(client, birds, as_of):
    for reply in (
        client.get(f"{birds}/documents/a%2Fb", params={"as_of": as_of}),
        client.get(f"{birds}/documents", params={"as_of": as_of}),
        client.post(f"{birds}/search", json={"query": "kiwi", "as_of": as_of}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (410, GoneError.code)
        assert "commit 0 at " in reply.json()["detail"]


def test_wrong_requests_name_the_field(client, birds):
    for as_of in ("yesterday", "9999-01-01", 10**6):
        reply = client.post(f"{birds}/search", json={"query": "kiwi", "as_of": as_of})
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["field"] == "as_of"
    assert client.post(f"{birds}/documents/x/revert", json={"version": 1}).status_code == 404
    assert client.post(f"{birds}/documents/a%2Fb/revert", json={"version": 99}).status_code == 410
    assert client.post(f"{birds}/documents/purge", json={}).status_code == 422
    assert client.put(f"{birds}/history", json={"days": 0}).status_code == 422


def test_purged_documents_are_gone_with_their_versions(client, birds):
    reply = client.post(f"{birds}/documents/purge", json={"ids": ["a/b", "none"]})
    proof = reply.json()
    assert reply.status_code == 200
    assert (proof["documents"], proof["versions"], proof["found"]) == (1, 2, {})
    assert proof["not_found"] == ["none"]
    assert client.get(f"{birds}/documents/a%2Fb/history").status_code == 404


def test_the_history_is_switched(client, birds):
    assert client.put(f"{birds}/history", json={"days": None}).json() == {"days": None}
    reply = client.get(f"{birds}/documents/a%2Fb/history")
    assert reply.status_code == 422
    assert "keeps no history" in reply.json()["detail"]
    assert client.put(f"{birds}/history", json={"days": 7}).status_code == 200
    assert client.get(birds).json()["config"]["history"] == {"days": 7}
