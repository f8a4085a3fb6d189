"""Limits on time, memory and work of a request, and clients that close the connection."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import httpx2 as httpx
import pytest

from twindex.api.http.admission import Budget, client_left
from twindex.api.serving.limits.deadline import Deadline
from twindex.api.serving.limits.pool import Pool
from twindex.api.serving.measuring.metrics import OTHER
from twindex.api.serving.problems import ClientGone, Problem
from twindex.core import Guard, Trace

BIRDS = "/v1/collections/birds"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def birds(serve, fake_config):
    """Return a server with one thread for searches, the given settings and 100 documents."""

    def start(**settings: Any) -> Any:
        client = serve(threads=1, **settings)
        assert client.put(BIRDS, json=fake_config).status_code == 201
        lines = "".join(
            json.dumps({"id": f"{n:03}", "text": f"bird {n} " + "x" * 2_000}) + "\n"
            for n in range(100)
        )
        response = client.post(f"{BIRDS}/documents/bulk", content=lines, headers=NDJSON)
        assert response.status_code == 200
        return client

    return start


def test_a_search_that_takes_too_long_is_504(birds, problem, monkeypatch):
    client = birds(search_seconds=0.2)
    collection = client.app.state.service._served["birds"].collection
    search, ended = collection.search, threading.Event()

    def slow(request, *, guard):
        time.sleep(0.4)
        try:
            return search(request, guard=guard)
        except Problem:
            ended.set()
            raise

    monkeypatch.setattr(collection, "search", slow)
    began = time.perf_counter()
    details = problem(client.post(f"{BIRDS}/search", json={"query": "bird"}), 504, "deadline")
    assert time.perf_counter() - began < 0.4 + 2
    assert "search_seconds" in details.detail
    assert ended.wait(5), "the work did not stop at its next stage"
    monkeypatch.setattr(collection, "search", search)
    for _ in range(200):
        if client.post(f"{BIRDS}/search", json={"query": "bird"}).status_code == 200:
            return
    raise AssertionError("no search is answered any more")


def test_a_batch_stops_between_its_searches(birds, problem):
    client = birds(search_seconds=1e-4)
    requests = [{"query": f"bird {n}"} for n in range(100)]
    response = client.post(f"{BIRDS}/search/batch", json={"requests": requests})
    problem(response, 504, "deadline")


def test_each_stage_of_a_search_begins_with_a_check():
    checks: list[str] = []
    trace = Trace(Guard(lambda: checks.append("check")))
    with trace.stage("encode"):
        pass
    with trace.stage("fuse"):
        pass
    assert checks == ["check"] * 2


def test_a_batch_has_a_maximum_depth_and_length(birds, problem):
    client = birds(query_chars=20)
    path = f"{BIRDS}/search/batch"
    assert client.post(path, json={"requests": [{"query": "x"}] * 100}).status_code == 200
    deep = [{"query": "x", "depth": 10_000}] * 11
    details = problem(client.post(path, json={"requests": deep}), 422, "invalid")
    assert "110000" in details.detail
    assert "100000" in details.detail
    long = [{"query": "x"}, {"query": "x" * 21}]
    details = problem(client.post(path, json={"requests": long}), 422, "invalid")
    assert details.errors[0].field == "requests[1].query"
    many = [{"query": "x" * 20}] * 11
    problem(client.post(path, json={"requests": many}), 422, "invalid")
    single = client.post(f"{BIRDS}/search", json={"query": "x" * 21})
    assert problem(single, 422, "invalid").errors[0].field == "query"
    assert client.post(f"{BIRDS}/search", json={"query": "x" * 20}).status_code == 200


def test_a_page_of_documents_ends_at_its_maximum_size(birds):
    client = birds(page_bytes=50_000)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = client.get(f"{BIRDS}/documents", params={"limit": 1_000, **cursor}).json()
        assert sum(len(found["text"]) for found in page["documents"]) <= 50_000
        assert page["total"] == 100
        seen += [found["id"] for found in page["documents"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert seen == [f"{n:03}" for n in range(100)]


def test_a_document_larger_than_a_page_gets_its_own_page(birds):
    client = birds(page_bytes=1_024)
    page = client.get(f"{BIRDS}/documents", params={"limit": 2}).json()
    assert [found["id"] for found in page["documents"]] == ["000"]
    assert page["next_cursor"]


def test_hits_too_large_for_a_page_are_rejected(birds, problem):
    client = birds(page_bytes=50_000)
    details = problem(
        client.post(f"{BIRDS}/search", json={"query": "bird", "limit": 100}), 422, "invalid"
    )
    assert details.errors[0].field == "limit"
    assert client.post(f"{BIRDS}/search", json={"query": "bird", "limit": 20}).status_code == 200
    names = {"query": "bird", "limit": 100, "include": []}
    assert len(client.post(f"{BIRDS}/search", json=names).json()["hits"]) == 100


def test_large_replies_have_a_budget(serve, problem, fake_config):
    client = serve(reply_memory=500_000)
    client.put(BIRDS, json=fake_config)
    text = "x" * 400_000
    client.put(f"{BIRDS}/documents/a", json={"text": text})
    replies = client.app.state.admission.replies
    assert client.get(f"{BIRDS}/documents/a").json()["text"] == text
    assert replies.taken == 0
    assert replies.take(200_000)
    details = problem(client.get(f"{BIRDS}/documents/a"), 503, "overloaded")
    assert "reply_memory" in details.detail
    replies.give(200_000)
    assert client.get(f"{BIRDS}/documents/a").status_code == 200


def test_bodies_release_their_memory(birds):
    client = birds()
    bodies = client.app.state.admission.bodies
    assert client.put(f"{BIRDS}/documents/a", json={"text": "x" * 100_000}).status_code == 201
    assert client.put(f"{BIRDS}/documents/a", content=b"{").status_code == 415
    assert bodies.taken == 0


def test_an_empty_budget_admits_an_oversized_request():
    budget = Budget(10)
    assert budget.take(20)
    assert not budget.take(1)
    budget.give(20)
    assert budget.take(4)
    assert budget.take(6)
    assert not budget.take(1)


class _Request:
    """A request whose client closes the connection when `leave` is set."""

    def __init__(self) -> None:
        self.leave = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        await self.leave.wait()
        return {"type": "http.disconnect"}


def test_searches_end_when_the_client_leaves():
    """One search runs and stops at its next check; the other waits and never begins."""
    began, stopped, waiting = threading.Event(), threading.Event(), threading.Event()

    async def scenario() -> None:
        pool = Pool("test", 1, 5)
        request = _Request()
        deadline, other = (
            Deadline(30, 1_000, leaving=lambda: client_left(request.receive)) for _ in range(2)
        )

        def run() -> None:
            began.set()
            while True:
                time.sleep(0.01)
                try:
                    deadline.check()
                except ClientGone:
                    stopped.set()
                    raise

        first = asyncio.ensure_future(deadline.wait(pool.run(run)))
        second = asyncio.ensure_future(other.wait(pool.run(lambda: waiting.set())))
        while not began.is_set():
            await asyncio.sleep(0.01)
        request.leave.set()
        for task in (first, second):
            with pytest.raises(ClientGone):
                await task
        while pool.active:
            await asyncio.sleep(0.01)
        assert await pool.run(lambda: 7) == 7
        pool.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert stopped.is_set()
    assert not waiting.is_set()


def test_metrics_have_a_bounded_set_of_labels(birds):
    client = birds()
    for n in range(50):
        client.request(f"METHOD{n}", BIRDS)
        client.get(f"/nowhere/{n}")
    client.get("/static/style.css")
    client.get("/")
    text = client.get("/metrics").text
    assert "METHOD" not in text
    assert f'method="{OTHER}"' in text
    assert "nowhere" not in text
    assert 'route="/static",status="200"' in text
    assert 'method="GET",route="/",status="200"' in text
    assert sum(line.startswith("twindex_requests_total") for line in text.splitlines()) < 15


def test_pages_of_allowed_origins_may_call(serve, problem):
    lexical = {"legs": {"lexical": {"kind": "lexical"}}}
    plain = serve()
    foreign = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
    problem(plain.put(BIRDS, json=lexical, headers=foreign), 403, "forbidden")
    assert "access-control-allow-origin" not in plain.get("/v1/info", headers=foreign).headers
    client = serve(cors_origins="https://app.example", api_key="k")
    keyed = {"authorization": "Bearer k", **foreign}
    answer = client.put(BIRDS, json=lexical, headers=keyed)
    assert answer.status_code == 201
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    requested = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "api-key",
    }
    preflight = client.options(BIRDS, headers={**foreign, **requested})
    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    other = {**keyed, "origin": "https://other.example"}
    problem(client.put(BIRDS, json=lexical, headers=other), 403, "forbidden")


@pytest.mark.parametrize("prefix", ["", "/find/it"], ids=["taken away", "passed on"])
def test_the_server_works_under_a_proxy_path(serve, prefix):
    client = serve(root_path="/find/it/")
    lexical = {"legs": {"lexical": {"kind": "lexical"}}}
    created = client.put(prefix + BIRDS, json=lexical)
    assert created.status_code == 201
    assert created.headers["location"] == "/find/it" + BIRDS
    for path in ("/", "/docs", "/livez", "/static/style.css", "/v1/info"):
        assert client.get(prefix + path).status_code == 200, path
    assert client.get(prefix + "/openapi.json").json()["servers"] == [{"url": "/find/it"}]
    moved = client.get("/find/it", follow_redirects=False)
    assert (moved.status_code, moved.headers["location"]) == (308, "/find/it/")
    assert f'route="{BIRDS}"' not in client.get(prefix + "/metrics").text


def test_the_key_is_required_under_a_proxy_path(serve, problem):
    client = serve(root_path="/find", api_key="k")
    assert client.get("/find/livez").status_code == 200
    problem(client.get("/find/v1/info"), 401, "unauthorized")
    assert client.get("/find/v1/info", headers={"api-key": "k"}).status_code == 200
    assert isinstance(client, httpx.Client)
