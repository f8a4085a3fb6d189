"""Changes of metadata, and conditions of requests, over HTTP."""

from __future__ import annotations

import pytest

from twindex.api.http.shapes.updates import Patched, Updated

DOCUMENTS = "/v1/collections/birds/documents"
KIWI = f"{DOCUMENTS}/kiwi"


def tag_of(client, path: str = KIWI) -> str:
    return client.get(path).headers["etag"]


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_patch_merges_metadata(client, kind):
    text = client.get(KIWI).json()["text"]
    headers = {"content-type": kind}
    content = '{"metadata": {"a": {"b": 1, "c": null}, "year": null}}'
    reply = client.patch(KIWI, content=content, headers=headers)
    assert reply.status_code == 200, reply.text
    found = Patched.model_validate(reply.json())
    stored = client.get(KIWI)
    assert (stored.json()["metadata"]["a"], stored.json()["text"]) == ({"b": 1}, text)
    assert "year" not in stored.json()["metadata"]
    assert stored.headers["etag"] == reply.headers["etag"] == f'"{found.tag}"'


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"metadata": {}, "text": "new"}, "text"),
        ({"title": "new"}, "title"),
        ({}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"metadata": [1]}, "metadata"),
        ({"metadata": {}, "id": "kiwi"}, "id"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"type": "text/plain"}}, "metadata.type"),
    ],
)
def test_a_wrong_patch_names_the_field(client, given, field, problem):
    before = client.get(KIWI).json()
    found = problem(client.patch(KIWI, json=given), 422, "invalid")
    assert found.errors[0].field == field
    assert client.get(KIWI).json() == before


def test_the_tag_of_the_stored_document_is_compared(client, problem):
    old = tag_of(client)
    assert client.patch(KIWI, json={"metadata": {"n": 1}}, headers={"if-match": old}).is_success
    new = tag_of(client)
    assert new != old
    for wrong in (old, f"W/{new}", '"*"', '""', f'{old}, "x"'):
        headers = {"if-match": wrong}
        for reply in (
            client.patch(KIWI, json={"metadata": {"n": 2}}, headers=headers),
            client.put(KIWI, json={"text": "new"}, headers=headers),
            client.delete(KIWI, headers=headers),
            client.get(KIWI, headers=headers),
        ):
            problem(reply, 412, "precondition_failed")
    assert tag_of(client) == new
    reply = client.put(KIWI, json={"text": "new"}, headers={"if-match": f"{old}, {new}"})
    assert (reply.status_code, reply.headers["etag"]) == (200, tag_of(client))
    assert client.delete(KIWI, headers={"if-match": "*"}).status_code == 204
    problem(client.delete(KIWI, headers={"if-match": "*"}), 404, "not_found")
    problem(
        client.put(KIWI, json={"text": "x"}, headers={"if-match": "*"}), 412, "precondition_failed"
    )
    fresh = {"if-none-match": "*"}
    assert client.put(KIWI, json={"text": "x"}, headers=fresh).status_code == 201
    problem(client.put(KIWI, json={"text": "x"}, headers=fresh), 412, "precondition_failed")


def test_a_known_document_is_not_sent_again(client):
    tag = tag_of(client)
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        reply = client.get(KIWI, headers={"if-none-match": known})
        assert (reply.status_code, reply.content, reply.headers["etag"]) == (304, b"", tag)
    assert client.get(KIWI, headers={"if-none-match": '"x"'}).status_code == 200


@pytest.mark.parametrize("value", ["kiwi", '"', '"a" "b"', '"a",,"', "*, *", '"' + "x" * 9_000])
def test_a_malformed_header_is_refused(client, value, problem):
    problem(client.get(KIWI, headers={"if-none-match": value}), 400, "malformed")
    problem(client.delete(KIWI, headers={"if-match": value}), 400, "malformed")


def test_several_documents_change_in_one_transaction(client, problem):
    path = f"{DOCUMENTS}/update"
    body = {"ids": ["kiwi", "dodo"], "metadata": {"seen": 1}}
    reply = client.post(path, json=body, headers={"idempotency-key": "one"})
    found = Updated.model_validate(reply.json())
    assert (found.updated, found.unchanged, found.not_found) == (1, 0, ["dodo"])
    again = client.post(path, json=body, headers={"idempotency-key": "one"})
    assert (again.json(), again.headers["idempotent-replayed"]) == (reply.json(), "true")
    assert client.post(path, json=body).json()["unchanged"] == 1
    where = {"filter": {"seen": 1}, "metadata": {"seen": 2}}
    assert client.post(path, json=where).json()["updated"] == 1
    for wrong in ({"metadata": {}}, {"ids": [], "filter": {}, "metadata": {}}, {"ids": ["a"]}):
        problem(client.post(path, json=wrong), 422, "invalid")


def test_a_filtered_key_neither_sees_nor_moves_other_documents(serve, keys, problem, fake_config):
    admin = keys("read", "write", "admin")
    client = serve()
    assert client.put("/v1/collections/birds", json=fake_config, headers=admin).is_success
    for name in ("acme", "zeta"):
        body = {"text": name, "metadata": {"tenant": name}}
        assert client.put(f"{DOCUMENTS}/{name}", json=body, headers=admin).is_success
    tag = client.get(f"{DOCUMENTS}/zeta", headers=admin).headers["etag"]
    acme = keys("read", "write", filter={"tenant": "acme"})
    patch = {"metadata": {"x": 1}}
    for match in ("*", tag, '"wrong"'):
        own = {**acme, "if-match": match}
        problem(client.patch(f"{DOCUMENTS}/zeta", json=patch, headers=own), 404, "not_found")
        problem(client.delete(f"{DOCUMENTS}/zeta", headers=own), 404, "not_found")
    given = {**acme, "if-none-match": tag}
    problem(client.get(f"{DOCUMENTS}/zeta", headers=given), 404, "not_found")
    moved = {"metadata": {"tenant": "zeta"}}
    problem(client.patch(f"{DOCUMENTS}/acme", json=moved, headers=acme), 422, "invalid")
    body = {"filter": {"tenant": "zeta"}, "metadata": {"x": 1}}
    assert client.post(f"{DOCUMENTS}/update", json=body, headers=acme).json()["updated"] == 0
    body = {"filter": {}, "metadata": {"x": 1}}
    assert client.post(f"{DOCUMENTS}/update", json=body, headers=acme).json()["updated"] == 1
    assert client.get(f"{DOCUMENTS}/zeta", headers=admin).headers["etag"] == tag
    assert client.patch(f"{DOCUMENTS}/acme", json=patch).status_code == 401
    reader = keys("read")
    assert client.patch(f"{DOCUMENTS}/acme", json=patch, headers=reader).status_code == 403
