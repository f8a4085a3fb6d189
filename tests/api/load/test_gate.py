"""Refusals before a request is parsed equal those of the application."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.api.http import middleware
from twindex.api.http.app import create_app
from twindex.api.http.arrival import connections
from twindex.api.http.arrival.connections import Connections, guarded
from twindex.api.http.arrival.gate import Gate
from twindex.api.serving.access.access import Access
from twindex.api.serving.access.quotas import Quotas, Ticket
from twindex.api.serving.problems import Problem
from twindex.api.serving.settings import Settings

SEARCH = "/v1/collections/birds/search"
POOLS = {
    SEARCH: "readers",
    f"{SEARCH}/batch": "readers",
    "/v1/vector_stores/birds/search": "readers",
    "/v1/search": "readers",
    "/v1/collections/birds/answer": "answering",
    "/v1/collections/birds/documents/bulk": "writers",
    "/v1/rerank": "reranking",
    "/v2/rerank": "reranking",
    "/v1/chat/completions": "answering",
    "/v2/chat": "answering",
    "/embed": "embedding",
    "/v1/embeddings": "embedding",
}


def request(path: str = SEARCH, body: bytes = b'{"query": "kiwi"}', **headers: str) -> bytes:
    named = {"Host": "localhost", "Content-Type": "application/json", **headers}
    named = {name.replace("_", "-"): value for name, value in named.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def full(app: Any, *pools: str) -> Iterator[Gate]:
    """Make pools refuse all calls."""
    service = app.state.service
    chosen = [getattr(service, name) for name in pools or set(POOLS.values())]
    before = [(pool.queue, pool._running) for pool in chosen]
    try:
        for pool in chosen:
            pool.queue, pool._running = 0, pool.threads
        yield app.state.gate
    finally:
        for pool, (queue, running) in zip(chosen, before, strict=True):
            pool.queue, pool._running = queue, running


def parsed(reply: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["content-length"]) == len(body)
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize("path", POOLS)
def test_both_places_refuse_in_the_same_words(client, path):
    with full(client.app, POOLS[path]) as gate:
        slow = client.post(path, content=b"{}", headers={"x-request-id": "a"})
        assert gate.crowded
        status, headers, body = parsed(gate.answer(request(path, b"{}", X_Request_Id="a")) or b"")
    assert (slow.status_code, slow.json()) == (status, body)
    for name in ("content-type", "retry-after", "x-request-id", "x-content-type-options"):
        assert slow.headers[name] == headers[name], name
    assert "connection" not in slow.headers
    metrics = client.get("/metrics").text
    assert [line for line in metrics.splitlines() if 'status="429"' in line and " 2.0" in line]


def test_each_kind_of_work_is_refused_only_by_its_own_pool(client):
    for path, name in POOLS.items():
        with full(client.app, *set(POOLS.values()) - {name}) as gate:
            assert gate.answer(request(path)) is None, path
        assert client.app.state.gate.answer(request(path)) is None
        assert not client.app.state.gate.crowded


def test_requests_that_are_not_plain_and_complete_go_to_the_parser(client):
    whole = request()
    with full(client.app) as gate:
        assert gate.answer(whole) is not None
        assert gate.answer(request(Connection="keep-alive")) is not None
        for end in range(len(whole)):
            assert gate.answer(whole[:end]) is None
        for data in (
            whole + b"G",
            whole + whole,
            b"\r\n" + whole,
            whole.replace(b"HTTP/1.1", b"HTTP/1.0"),
            whole.replace(b"Content-Length: 17", b"Content-Length: 17\r\nContent-Length: 17"),
            whole.replace(b"Content-Length: 17", b"Content-Length: +17"),
            whole.replace(b"Content-Length: 17", b"Content-Length : 17"),
            request(Transfer_Encoding="chunked"),
            request(Connection="close"),
            request(Connection="keep-alive, upgrade"),
            request(Expect="100-continue"),
            request(Origin="https://app.example"),
            request("/v1/collections/birds"),
            request("/livez"),
            whole.replace(b"POST", b"GET"),
        ):
            assert gate.answer(data) is None, data


@given(st.binary(max_size=80), st.integers(0, 200), st.integers(0, 40))
def test_no_bytes_make_the_gate_fail(piece, at, length):
    class Full:
        def refuses(self, tenant: str, more: int) -> bool:
            return True

        def refusal(self) -> Any:
            raise AssertionError("the bytes were taken for a request")

    gate = Gate.__new__(Gate)
    gate._root, gate._tenants, gate._passed = "", {}, 0
    gate._pools = dict.fromkeys(set(POOLS.values()), Full())  # type: ignore[arg-type]
    whole = request()
    changed = whole[:at] + piece + whole[at + length :]
    try:
        gate.answer(changed)
    except AssertionError:
        head, _, body = changed.partition(b"\r\n\r\n")
        assert head.lower().count(b"content-length") == 1 or not body


def test_a_refusal_knows_the_tenant_of_a_key_that_was_right(client):
    gate = client.app.state.gate
    scope = {"method": "GET", "state": {"tenant": "a"}}
    gate.check(scope, "/", {b"authorization": b"Bearer right"})
    asked = []
    with full(client.app) as gate:
        pool = client.app.state.service.readers
        pool.refuses = lambda tenant, more: asked.append(tenant) or True
        assert gate.answer(request(Authorization="Bearer right")) is not None
        assert gate.answer(request(Authorization="Bearer other")) is None
        assert gate.answer(request()) is None
        del pool.refuses
    assert asked == ["a"]


@pytest.fixture
def live(tmp_path, fake_config) -> Iterator[tuple[Any, int]]:
    """A server on a real socket. Yields its application and its port."""
    import threading
    import time

    import uvicorn

    from twindex.api.http.arrival.listener import listen

    app = create_app(tmp_path, Settings())
    kind: type = guarded(Connections(Settings(), 100), app.state.gate)
    server = uvicorn.Server(uvicorn.Config(app, http=kind, log_config=None, ws="none"))
    listener = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    port = listener.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    try:
        while httpx.get(f"{address}/readyz").status_code != 200:
            time.sleep(0.05)
        assert httpx.put(f"{address}/v1/collections/birds", json=fake_config).status_code == 201
        yield app, port
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def replies(connection: socket.socket, count: int) -> list[int]:
    """Read `count` replies. Return their statuses."""
    data, found = b"", []
    while len(found) < count:
        piece = connection.recv(65_536)
        assert piece, data
        data += piece
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = data[:end].lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
            if len(data) < end + 4 + length:
                break
            found.append(int(data[9:12]))
            data = data[end + 4 + length :]
    return found


def test_a_connection_goes_on_after_a_refusal(live):
    app, port = live
    whole = request()
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:

        def ask(*pieces: bytes, count: int = 1) -> list[int]:
            for piece in pieces:
                connection.sendall(piece)
            return replies(connection, count)

        assert ask(whole) == [200]
        with full(app, "readers"):
            assert ask(whole) == [429]
            assert ask(whole) == [429]
            for at in (1, 20, len(whole) - 1):
                assert ask(whole[:at], whole[at:]) == [429]
            assert ask(whole + whole, count=2) == [429, 429]
            # The second request is incomplete when the first is answered.
            assert ask(whole + whole[:30]) == [429]
            assert ask(whole[30:]) == [429]
        assert ask(whole) == [200]
        assert ask(whole + whole, count=2) == [200, 200]
        with full(app, "readers"):
            assert ask(whole) == [429]
        assert ask(whole) == [200]


@pytest.mark.parametrize("parsed", [False, True], ids=["unparsed", "parsed"])
def test_a_connection_is_not_read_for_a_while_after_a_refusal(live, monkeypatch, parsed):
    app, port = live
    monkeypatch.setattr(connections, "PAUSE_SECONDS", 3_600.0)
    origin = {"Origin": f"http://127.0.0.1:{port}"} if parsed else {}  # Such requests are parsed.
    whole = request(**{"Host": f"127.0.0.1:{port}", **origin})
    with socket.create_connection(("127.0.0.1", port), timeout=30) as refused:
        with full(app, "readers"):
            refused.sendall(whole)
            assert replies(refused, 1) == [429]
        refused.sendall(whole)
        refused.settimeout(0.3)
        with pytest.raises(TimeoutError):
            refused.recv(1)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as other:
            other.sendall(whole)
            assert replies(other, 1) == [200]


def test_the_connection_of_a_key_beyond_its_limit_is_not_read_for_longer(live, monkeypatch):
    app, port = live
    monkeypatch.setattr(middleware, "OVER_LIMIT_SECONDS", 3_600.0)
    monkeypatch.setattr(connections, "PAUSE_SECONDS", 0.0)

    def refuse(quotas: Quotas, access: Access) -> Ticket:
        raise Problem(429, "this key may send 1 request a minute")

    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with full(app, "readers"):
            for _ in range(3):
                connection.sendall(request())
                assert replies(connection, 1) == [429]
        monkeypatch.setattr(Quotas, "enter", refuse)
        connection.sendall(request())
        assert replies(connection, 1) == [429]
        connection.sendall(request())
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_refused_body_is_dropped_and_the_connection_stays_open(live):
    app, port = live
    body = b'{"id": "a", "text": "b"}\n' * 100_000
    bulk = request("/v1/collections/birds/documents/bulk", body)
    bulk = bulk.replace(b"application/json", b"application/x-ndjson")
    head = bulk.index(b"\r\n\r\n") + 4
    address = ("127.0.0.1", port)
    with socket.create_connection(address, timeout=30) as connection, full(app, "writers"):
        connection.sendall(bulk[:head])
        assert replies(connection, 1) == [429]  # Before the body is sent.
        connection.sendall(bulk[head:])
        connection.sendall(request())
        assert replies(connection, 1) == [200]
