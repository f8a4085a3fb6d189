"""Values of a wrong JSON type, and integers beyond 64 bits."""

from __future__ import annotations

import json

import pytest

from twindex.sources.records.exact_json import parse_json

BIRDS = "/v1/collections/birds"
JSON = {"content-type": "application/json"}
HUGE = (2**63, 2**64, 10**30, -(2**63) - 1)


WRONG = [
    ({"limit": "5"}, "limit", "must be an integer between 1 and 1,000, got '5'"),
    ({"limit": True}, "limit", "must be an integer between 1 and 1,000, got true"),
    ({"limit": []}, "limit", "must be an integer between 1 and 1,000, got a list"),
    ({"min_score": "0.5"}, "min_score", "must be a number between -1e+30 and 1e+30, got '0.5'"),
    ({"explain": "true"}, "explain", "must be a boolean, got 'true'"),
    ({"explain": 1}, "explain", "must be a boolean, got 1"),
    ({"query": 5}, "query", "must be a string, got 5"),
    ({"legs": "dense"}, "legs", "must be a list, got 'dense'"),
    ({"legs": [{"name": None}]}, "legs[0].name", "is required"),
    ({"legs": [None]}, "legs[0]", "must be an object, got null"),
    ({"include": [False]}, "include[0]", "must be 'title', 'text' or 'metadata', got false"),
    ({"vectors": {"dense": [0.5, "1"]}}, "vectors.dense[1]", "must be a number, got '1'"),
    ({"search": 5}, "search", "must be an object, got 5"),
]


def test_a_wrong_type_names_field_value_and_type(client, problem):
    for fields, field, message in WRONG:
        reply = client.post(f"{BIRDS}/search", json={"query": "fly", **fields})
        error = problem(reply, 422, "invalid").errors[0]
        assert error.field == field
        assert error.message.startswith(message)


def test_query_parameters_are_texts(client, problem):
    assert client.get(f"{BIRDS}/documents?limit=2").status_code == 200
    error = problem(client.get(f"{BIRDS}/documents?limit=x"), 422, "invalid").errors[0]
    assert (error.field, error.message) == ("limit", "must be an integer, got 'x'")


def test_the_search_page_reads_texts(client):
    reply = client.get("/?c=birds&q=fly&limit=2&method=rrf&k=60&weight.dense=0.5")
    assert reply.status_code == 200, reply.text


def test_an_integer_beyond_64_bits_is_refused(client, problem):
    for number in HUGE:
        text = f'{{"text": "x", "metadata": {{"n": {number}}}}}'
        reply = client.put(f"{BIRDS}/documents/x", content=text, headers=JSON)
        error = problem(reply, 422, "invalid").errors[0]
        assert error.field == "metadata.n"
        assert "an integer must fit in 64 bits" in error.message
        headers = {"content-type": "application/x-ndjson"}
        line = '{"id": "x", ' + text[1:]
        reply = client.post(f"{BIRDS}/documents/bulk", content=line, headers=headers).json()
        assert reply["items"][0]["error"]["field"] == "metadata.n"


def test_integers_are_exact():
    for number in (2**63 - 1, -(2**63), 2**64, 10**30, 10**19, -(10**19)):
        assert parse_json(json.dumps([number]).encode()) == [number]
    assert parse_json(b'{"a": "12345678901234567890", "b": 0.12345678901234567890}') == {
        "a": "12345678901234567890",
        "b": 0.12345678901234568,
    }
    with pytest.raises(json.JSONDecodeError):
        parse_json(b"[NaN, 12345678901234567890]")
    deep = b"[" * 1_000 + b"12345678901234567890" + b"]" * 1_000
    assert isinstance(parse_json(deep), list)
