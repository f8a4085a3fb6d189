"""Ids and names in paths: each addresses exactly one document or collection."""

from __future__ import annotations

from urllib.parse import quote

import httpx2 as httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.api.http.app import create_app
from twindex.core import InvalidInputError

from ...house import scaled

DOCUMENTS = "/v1/collections/birds/documents"
IDS = [
    "kiwi ", " kiwi", "kiwi/", "/kiwi", "a//b", "kiwi%0a", "%", "%2F", "a?b#c", "a\\b", "a;b=c",
    "bulk", "delete", "bulk/", "Kiwi", "ki\u0301wi", "kíwi", "🥝", "\u2028", "kiwi\u2028",
    "a+b", "a b", "...", "a/../b", "a/./b", '"', "'", "<b>", "x" * 512,
]  # fmt: skip


def path(name):
    return f"{DOCUMENTS}/{quote(name, safe='')}"


def test_each_id_addresses_its_own_document(tmp_path, serving):
    """Uses a real server, because the test client decodes percent signs twice."""
    with (
        serving(create_app(tmp_path)) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        client.put("/v1/collections/birds", json={"legs": {"lexical": {"kind": "lexical"}}})
        for name in IDS:
            put = client.put(path(name), json={"text": f"of {name}"})
            assert put.status_code == 201, (name, put.text)
            assert put.json()["id"] == name
        for name in IDS:
            assert client.get(path(name)).json()["text"] == f"of {name}"
        for left in reversed(range(len(IDS))):
            assert client.delete(path(IDS[left])).status_code == 204
            assert client.get(DOCUMENTS).json()["total"] == left


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\0", "\x1f", "\x7f", "\x85", "\n\n"])
def test_a_control_character_addresses_nothing_else(client, problem, end):
    name = f"kiwi{end}"
    problem(client.get(path(name)), 404, "not_found")
    problem(client.delete(path(name)), 404, "not_found")
    details = problem(client.put(path(name), json={"text": "x"}), 422, "invalid")
    assert details.errors[0].field == "id"
    assert client.get(path("kiwi")).json()["text"] == "The kiwi cannot fly."


@pytest.fixture(scope="module")
def lexical(tmp_path_factory):
    from fastapi.testclient import TestClient

    from twindex.api.http.app import create_app

    app = create_app(tmp_path_factory.mktemp("ids"))
    with TestClient(app, "http://localhost", raise_server_exceptions=False) as client:
        while client.get("/readyz").status_code != 200:
            pass
        client.put("/v1/collections/birds", json={"legs": {"lexical": {"kind": "lexical"}}})
        client.put(path("kiwi"), json={"text": "kept"})
        yield client


@settings(max_examples=scaled(60), deadline=None)
@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="%"), min_size=1, max_size=20
    )
)
def test_any_text_is_a_valid_id_or_rejected(lexical, name):
    if name in ("kiwi", ".", ".."):
        return
    put = lexical.put(path(name), json={"text": name})
    if put.status_code == 422:
        assert put.json()["errors"][0]["field"] == "id"
        assert lexical.get(path(name)).status_code == 404
        assert lexical.delete(path(name)).status_code == 404
    else:
        assert put.json()["id"] == name
        assert lexical.get(path(name)).json()["id"] == name
        assert lexical.delete(path(name)).status_code == 204
    assert lexical.get(path("kiwi")).json()["text"] == "kept"
    assert lexical.get(DOCUMENTS).json()["total"] == 1


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/collections%0a"),
        ("GET", "/v1/collections/birds%0a"),
        ("PUT", "/v1/collections/birds%0a"),
        ("DELETE", "/v1/collections/birds%0a"),
        ("POST", "/v1/collections/birds%0a/merge"),
        ("POST", "/v1/collections/birds/merge%0a"),
        ("POST", "/v1/collections/birds/search%0a"),
        ("POST", "/v1/collections/birds/documents/delete%0a"),
        ("GET", "/v1/collections/birds/documents%0a"),
        ("GET", "/v1/jobs%0a"),
        ("GET", "/v1/jobs/x%0a"),
        ("GET", "/v1/models%0a"),
        ("GET", "/v1/info%0a"),
        ("GET", "/livez%0a"),
        ("GET", "/readyz%0a"),
        ("GET", "/metrics%0a"),
    ],
)
def test_a_line_break_at_the_end_is_another_path(client, method, target):
    body = {"query": "kiwi"} if target.endswith("search%0a") else {}
    reply = client.request(method, target, json=body if method in ("POST", "PUT") else None)
    assert reply.status_code in (404, 405, 422), (reply.status_code, reply.text)
    assert client.get("/v1/collections/birds").json()["documents"] == 3


def test_a_job_id_with_a_line_break_is_not_found(client, wait_for_job):
    job_id = client.post("/v1/collections/birds/merge").json()["id"]
    wait_for_job(client, job_id)
    assert client.get(f"/v1/jobs/{job_id}%0a").status_code == 404


@pytest.mark.parametrize("ids", ["13", b"13"])
def test_a_string_is_not_accepted_as_a_list_of_ids(client, ids):
    collection = client.app.state.service._served["birds"].collection
    collection.add([{"id": "1", "text": "one"}, {"id": "3", "text": "three"}])
    with pytest.raises(InvalidInputError, match=r"ids: must be a list of ids, got b?'13'"):
        collection.delete(ids)
    assert collection.count() == 5
