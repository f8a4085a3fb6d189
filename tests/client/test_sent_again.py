"""Requests that are sent again are not done again."""

from __future__ import annotations

import json

import httpx2
import pytest

import twindex
from twindex.client import RemoteCollection

from .scripted import Script, info, problem


def test_a_write_still_under_way_when_patience_ends_is_no_conflict(pauses):
    script = Script(problem(409, "in_progress"))
    client = twindex.Client(transport=script.transport, patience=0)
    with pytest.raises(twindex.UnavailableError):
        RemoteCollection(client, "birds").add([{"id": "a", "text": "b"}])


def test_a_delete_that_is_sent_again_has_the_same_key(pauses):
    deleted = httpx2.Response(200, json={"deleted": 1, "not_found": [], "warnings": []})
    script = Script(httpx2.ReadError("lost"), deleted, deleted)
    collection = RemoteCollection(twindex.Client(transport=script.transport), "birds")
    collection.delete(["a"])
    assert collection.delete_where({"year": 1}) == 1
    keys = [request.headers["idempotency-key"] for request in script.requests]
    assert keys[0] == keys[1] != keys[2]


def test_a_batch_that_is_sent_again_has_the_same_key(pauses):
    done = {
        "errors": False,
        "items": [],
        "written": 1,
        "replaced": 0,
        "unchanged": 0,
        "passages": 1,
    }
    script = Script(
        info(), httpx2.ReadError("lost"), httpx2.Response(200, json={**done, "truncated": {}})
    )
    with twindex.Client(transport=script.transport) as client:
        client.open("birds").add([{"id": "a", "text": "b"}])
    keys = [request.headers["idempotency-key"] for request in script.requests[1:]]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert json.loads(script.requests[2].content) == {"id": "a", "text": "b"}
