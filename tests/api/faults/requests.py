"""Requests that several tests of faults send."""

from __future__ import annotations

import time
from typing import Any

import httpx2 as httpx

BIRDS = "/v1/collections/birds"
NDJSON = {"content-type": "application/x-ndjson"}


def finished(client: httpx.Client, queued: httpx.Response) -> dict[str, Any]:
    """Wait for the job of a reply, which must succeed, and return it."""
    assert queued.status_code == 202, queued.text
    for _ in range(6_000):
        job: dict[str, Any] = client.get(f"/v1/jobs/{queued.json()['id']}").json()
        assert job["state"] != "failed", job
        if job["state"] == "done":
            return job
        time.sleep(0.005)
    raise AssertionError(job)


def texts(client: httpx.Client, collection: str = "birds") -> dict[str, str]:
    """Return the text of every document of a collection."""
    reply = client.get(f"/v1/collections/{collection}/documents", params={"limit": 1_000})
    assert reply.status_code == 200, reply.text
    return {document["id"]: document["text"] for document in reply.json()["documents"]}
