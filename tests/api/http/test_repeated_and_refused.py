"""Requests that are sent twice, and those that must not be half done."""

from __future__ import annotations

import json

import pytest

DOCUMENTS = "/v1/collections/birds/documents"
WORDS = "/v1/collections/words"
LONG = {"id": "long", "text": "w " * 20_001}


@pytest.fixture
def words(client):
    """A collection that cuts documents into passages of one word."""
    config = {
        "passages": {"unit": "words", "size": 1, "overlap": 0},
        "legs": {"lexical": {"kind": "lexical"}},
    }
    assert client.put(WORDS, json=config).status_code == 201
    return f"{WORDS}/documents"


def send(client, path, documents, **params):
    return client.post(
        f"{path}/bulk",
        content="\n".join(map(json.dumps, documents)).encode(),
        headers={"content-type": "application/x-ndjson"},
        params=params,
    )


def several(number):
    return [{"id": f"d{i}", "text": "short"} for i in range(number)]


def test_a_document_of_too_many_passages_fails_alone(client, words):
    reply = send(client, words, [*several(20), LONG, {"id": "last", "text": "short"}]).json()
    assert reply["errors"] is True
    assert [item["id"] for item in reply["items"] if item["status"] != 200] == ["long"]
    assert reply["items"][20]["error"]["field"] == "text"
    assert reply["items"][20]["error"]["detail"].startswith("document 'long': the text would be")
    assert client.get(words).json()["total"] == 21


def test_a_document_of_too_many_passages_can_fail_the_request(client, words, problem):
    reply = send(client, words, [*several(20), LONG], on_error="fail")
    assert problem(reply, 422, "invalid").errors[0].field == "lines[20].text"
    assert client.get(words).json()["total"] == 0


def test_a_document_of_too_many_passages_does_not_fail_a_job(client, words, wait_for_job):
    job = send(client, words, [*several(20), LONG], **{"async": "true"}).json()
    done = wait_for_job(client, job["id"])
    assert done["state"] == "done"
    assert (done["result"]["documents"], done["result"]["failed"]) == (20, 1)
    assert client.get(words).json()["total"] == 20


def test_a_delete_that_is_sent_again_is_not_done_again(client, problem):
    condition = {"filter": {"year": {"exists": True}}}
    headers = {"idempotency-key": "once"}
    first = client.post(f"{DOCUMENTS}/delete", json=condition, headers=headers)
    assert first.json()["deleted"] == 2
    client.put(f"{DOCUMENTS}/moa", json={"text": "Extinct.", "metadata": {"year": 1400}})
    again = client.post(f"{DOCUMENTS}/delete", json=condition, headers=headers)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert client.get(f"{DOCUMENTS}/moa").status_code == 200
    other = client.post(f"{DOCUMENTS}/delete", json={"ids": ["moa"]}, headers=headers)
    problem(other, 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("limit=1&limit=2", "limit", "given more than once"),
        ("after=%FF", "after", "UTF-8"),
        ("%FF=1", "\N{REPLACEMENT CHARACTER}", "unknown"),
    ],
)
def test_query_parameters_are_neither_dropped_nor_changed(client, problem, query, field, message):
    error = problem(client.get(f"{DOCUMENTS}?{query}"), 422, "invalid").errors[0]
    assert error.field == field
    assert message in error.message
