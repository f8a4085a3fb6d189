"""Reranking and the search page have a deadline, and end when the client leaves."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from typing import Any

import pytest

from twindex.api.http.app import create_app
from twindex.api.serving import calls, given
from twindex.api.serving.limits.deadline import Deadline
from twindex.api.serving.problems import ClientGone, Problem
from twindex.core import UNGUARDED
from twindex.search import Collection

LONG = "word " * 199
DOCUMENTS = [f"{i} {LONG}" for i in range(1_000)]
"""Documents: the reranker `slow` takes 20 ms for each, 20 s for all; a call has 80."""

RERANK = {"model": "slow", "query": "word", "documents": DOCUMENTS}


def wait_until_free(pool: Any, seconds: float) -> None:
    """Wait until all threads of the pool are free."""
    ends = time.perf_counter() + seconds
    while pool.active:
        assert time.perf_counter() < ends, "the work goes on"
        time.sleep(0.02)


def send_and_leave(address: str, request: bytes, began: threading.Event) -> None:
    """Send a request, and close the connection after its work has started."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request)
        assert began.wait(20)


def post(path: str, body: Any) -> bytes:
    sent = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(sent)}\r\n\r\n".encode() + sent


@pytest.fixture
def quick(reranking):
    """The server with rerankers, and a function that sets its time limit."""

    def limit(seconds: float) -> Any:
        app = reranking.app
        app.state.settings = app.state.settings.model_copy(update={"search_seconds": seconds})
        return reranking

    return limit


@pytest.fixture
def another(reranking):
    """An application on the same folder, for a server with a port."""
    return create_app(reranking.app.state.service.root, reranking.app.state.settings)


# -- POST /v1/rerank ---------------------------------------------------------------------------


def test_a_reranking_that_takes_too_long_is_504_and_ends(quick, problem):
    client = quick(0.3)
    began = time.perf_counter()
    details = problem(client.post("/v1/rerank", json=RERANK), 504, "deadline")
    assert time.perf_counter() - began < 5
    assert "search_seconds" in details.detail
    wait_until_free(client.app.state.service.reranking, 8)
    few = {**RERANK, "documents": DOCUMENTS[:2]}
    assert quick(30).post("/v1/rerank", json=few).json()["status"] == "complete"


def test_slow_reranking_of_a_search_ends_between_calls(quick, problem):
    client = quick(0.3)
    lines = [{"id": f"long{i}", "text": text} for i, text in enumerate(DOCUMENTS[:400])]
    bulk = "\n".join(json.dumps(line) for line in lines)
    loaded = quick(30).post(
        "/v1/collections/birds/documents/bulk",
        content=bulk,
        headers={"content-type": "application/x-ndjson"},
    )
    assert loaded.status_code == 200
    client = quick(0.5)
    payload = {"query": "word", "limit": 1, "rerank": {"model": "slow", "top_n": 400}}
    problem(client.post("/v1/collections/birds/search", json=payload), 504, "deadline")
    wait_until_free(client.app.state.service.reranking, 5)  # Much less than 8 s.


def test_reranking_ends_when_the_client_leaves(another, serving, monkeypatch):
    began, ended = threading.Event(), []
    rerank = given.rerank_given

    def noted(*arguments):
        began.set()
        try:
            return rerank(*arguments)
        except ClientGone as error:
            ended.append(error)
            raise

    monkeypatch.setattr(calls, "rerank_given", noted)
    with serving(another) as address:
        send_and_leave(address, post("/v1/rerank", RERANK), began)
        wait_until_free(another.state.service.reranking, 8)
    assert ended


def test_the_query_of_a_reranking_has_a_maximum_length(reranking, problem):
    few = {**RERANK, "documents": DOCUMENTS[:1]}
    long = reranking.post("/v1/rerank", json={**few, "query": "x" * 100_001})
    assert problem(long, 422, "invalid").errors[0].field == "query"
    fits = reranking.post("/v1/rerank", json={**few, "query": "x" * 100_000})
    assert fits.status_code == 200


# -- the search page ---------------------------------------------------------------------------

PAGE = {"collection": "birds", "q": "fly"}


@pytest.fixture
def slow_engine(reranking, monkeypatch):
    """Delay searches by 0.6 s. Return events for their start and end."""
    search, began, ended = Collection.search, threading.Event(), threading.Event()

    def slow(collection, request, *, guard=UNGUARDED):
        if guard is UNGUARDED:  # Warming up.
            return search(collection, request)
        began.set()
        time.sleep(0.6)
        try:
            return search(collection, request, guard=guard)
        except (Problem, ClientGone):
            ended.set()
            raise

    monkeypatch.setattr(Collection, "search", slow)
    return began, ended


def test_a_page_whose_search_takes_too_long_says_so(quick, slow_engine):
    client = quick(0.2)
    began = time.perf_counter()
    page = client.get("/", params=PAGE)
    assert time.perf_counter() - began < 3
    assert page.status_code == 504
    assert page.headers["content-type"].startswith("text/html")
    assert "search_seconds" in page.text
    assert 'value="fly"' in page.text, "the form keeps the query"
    assert 'name="leg"' in page.text, "and its options"
    assert slow_engine[1].wait(5), "the search did not stop at its next stage"
    assert quick(30).get("/", params=PAGE).status_code == 200


def test_a_page_ends_when_the_client_leaves(another, serving, slow_engine):
    began, ended = slow_engine
    request = b"GET /?collection=birds&q=fly HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with serving(another) as address:
        send_and_leave(address, request, began)
        assert ended.wait(5), "the search went on"
        wait_until_free(another.state.service.readers, 5)


def test_the_query_of_a_page_has_a_maximum_length(serve, fake_config):
    client = serve(query_chars=20)
    client.put("/v1/collections/birds", json=fake_config)
    assert client.get("/", params={**PAGE, "q": "x" * 20}).status_code == 200
    page = client.get("/", params={**PAGE, "q": "x" * 21})
    assert page.status_code == 422
    assert "query_chars" in page.text


def test_hits_of_a_page_have_a_maximum_size(serve, fake_config):
    client = serve(page_bytes=50_000)
    client.put("/v1/collections/birds", json=fake_config)
    for n in range(3):
        path = f"/v1/collections/birds/documents/{n}"
        assert client.put(path, json={"text": "fly " * 10_000}).status_code == 201
    page = client.get("/", params=PAGE)
    assert page.status_code == 422
    assert "50000" in page.text
    assert client.get("/", params={**PAGE, "limit": "1"}).status_code == 200


# -- timeout_ms of a search --------------------------------------------------------------------

SEARCH = "/v1/collections/birds/search"


@pytest.fixture
def slow_model(reranking, monkeypatch):
    """Make the encoder of queries take 2 s, in one call. Return an event for its start."""
    collection = reranking.app.state.service.known()[0].ready()[0]
    encoder = collection._queries._encoders["dense"]
    encode, began = type(encoder).encode, threading.Event()

    def slow(self, texts, *given, role="document", **options):
        if role == "query":
            began.set()
            time.sleep(2)
        return encode(self, texts, *given, role=role, **options)

    monkeypatch.setattr(type(encoder), "encode", slow)
    collection._queries._batches.clear()  # They hold the method of the class.
    return began


def test_a_search_ends_after_its_own_limit_while_a_model_reads_its_query(
    reranking, slow_model, problem
):
    began = time.perf_counter()
    body = {"query": "a query", "timeout_ms": 200, "legs": ["dense"]}
    details = problem(reranking.post(SEARCH, json=body), 504, "deadline")
    assert time.perf_counter() - began < 1.5, "the reply does not wait for the model"
    assert "`timeout_ms` of 200 ms" in details.detail


def test_the_time_of_a_query_in_the_queue_of_a_model_counts(reranking, slow_model, problem):
    first = {"query": "first", "legs": ["dense"]}
    other = threading.Thread(target=reranking.post, args=(SEARCH,), kwargs={"json": first})
    other.start()
    assert slow_model.wait(20)
    began = time.perf_counter()
    body = {"query": "second", "timeout_ms": 200, "legs": ["dense"]}
    problem(reranking.post(SEARCH, json=body), 504, "deadline")
    assert time.perf_counter() - began < 1.5
    other.join()
    wait_until_free(reranking.app.state.service.readers, 5)


def test_a_limit_that_is_lowered_in_a_thread_is_noticed_at_once():
    released, ended = threading.Event(), threading.Event()

    async def run() -> float:
        deadline = Deadline(60.0, 1)

        def work() -> None:
            deadline.limit(100)
            assert released.wait(20)
            with pytest.raises(Problem, match="`timeout_ms` of 100 ms"):
                deadline.check()
            ended.set()

        began = time.perf_counter()
        with pytest.raises(Problem, match="`timeout_ms` of 100 ms"):
            await deadline.wait(asyncio.to_thread(work))
        seconds = time.perf_counter() - began
        released.set()
        return seconds

    assert 0.1 <= asyncio.run(run()) < 10
    assert ended.wait(20)


def test_time_before_a_thread_takes_the_search_counts():
    deadline = Deadline(60.0, 1)
    time.sleep(0.05)
    deadline.limit(40)
    with pytest.raises(Problem, match="`timeout_ms` of 40 ms"):
        deadline.check()
