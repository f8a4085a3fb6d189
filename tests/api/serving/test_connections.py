"""Real sockets and a real server: unused and slow connections are closed."""

from __future__ import annotations

import json
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
BIRDS = "/v1/collections/birds"
HEAD = f"PUT {BIRDS}/documents/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
QUICK = {
    "TWINDEX_HEAD_SECONDS": "0.6",
    "TWINDEX_STALL_SECONDS": "0.8",
    "TWINDEX_IDLE_SECONDS": "1",
    "TWINDEX_MIN_RATE": "100",
    "TWINDEX_MAX_CONNECTIONS": "12",
    "TWINDEX_MAX_BODY_BYTES": "1000000",
    "TWINDEX_BODY_MEMORY": "1000000",
}


class Server:
    """`twindex serve` in a separate process."""

    def __init__(self, root: Path, prelude: str = "", **variables: str) -> None:
        code = f"{prelude}\nimport sys; from twindex.api.cli.main import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", str(root), "--port", "0"],
            env={**os.environ, **QUICK, **variables, "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.log: list[str] = []
        while not (found := re.search(r"127\.0\.0\.1:(\d+)", "".join(self.log))):
            line = self.process.stderr.readline()
            assert line, "".join(self.log)
            self.log.append(line)
        self.address = ("127.0.0.1", int(found.group(1)))
        threading.Thread(target=self._drain, daemon=True).start()
        for _ in range(1_500):
            if self.get("/readyz").status_code == 200:
                return
            time.sleep(0.02)
        raise AssertionError("".join(self.log))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        host, port = self.address
        headers = {"connection": "close"} | options.pop("headers", {})
        return httpx.request(
            method, f"http://{host}:{port}{path}", timeout=30, headers=headers, **options
        )

    def get(self, path: str) -> httpx.Response:
        return self.call("GET", path)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=20)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("root"))
    assert started.call("PUT", BIRDS, json=CONFIG).status_code == 201
    yield started
    started.process.kill()
    started.process.wait()
    started.process.stderr.close()


def received(connection: socket.socket) -> bytes:
    """Return all bytes until the server closes the connection."""
    pieces = []
    try:
        while piece := connection.recv(1 << 20):
            pieces.append(piece)
    except ConnectionError:
        pass
    return b"".join(pieces)


def seconds_until_closed(connection: socket.socket) -> float:
    began = time.perf_counter()
    received(connection)
    return time.perf_counter() - began


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET / HTTP/1.1\r\nHost: loc",
        f"{HEAD}Content-Length: 100\r\n\r\n",
        f'{HEAD}Content-Length: 100\r\n\r\n{{"text": ',
        f"{HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n",
    ],
    ids=["nothing", "part of a head", "no body", "part of a body", "part of a chunk"],
)
def test_silent_and_partial_requests_are_closed(server, sent):
    with server.connect() as connection:
        connection.sendall(sent.encode())
        assert 0.3 < seconds_until_closed(connection) < 5


def test_an_oversized_body_is_not_read_completely(server):
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: 1000000000\r\n\r\n{{".encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 413")
    assert server.get("/livez").status_code == 200


@pytest.mark.parametrize("sent", ["X: ", "GET /", "X: a\r\n" * 3])
def test_a_very_large_head_is_refused(server, sent):
    with server.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" if "X" in sent else b"")
        try:
            connection.sendall(sent.encode())
            for _ in range(600):
                connection.sendall(b"a" * 1_000)
        except ConnectionError:
            pass  # The server has closed the connection.
        assert b"HTTP/1.1 400" in received(connection)
    assert server.get("/livez").status_code == 200


def test_heads_of_60_kilobytes_are_read_one_after_another(server):
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 60_000 + b"\r\n\r\n"
    with server.connect() as connection:
        for _ in range(5):
            for at in range(0, len(head), 7_000):
                connection.sendall(head[at : at + 7_000])
            reply = b""
            while not reply.endswith(b"}"):
                reply += connection.recv(10_000)
            assert reply.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "head", ["GET / HTTP/1.1\r\nX: ", f"{HEAD}Content-Length: 10000\r\n\r\n"], ids=["head", "body"]
)
def test_requests_sent_byte_by_byte_are_closed(server, head):
    with server.connect() as connection:
        connection.sendall(head.encode())
        began = time.perf_counter()
        try:
            for _ in range(1_000):
                connection.sendall(b" ")
                time.sleep(0.02)
        except ConnectionError:
            assert 0.4 < time.perf_counter() - began < 6
        else:
            raise AssertionError("it was never closed")


def test_a_slow_but_steady_body_is_read_completely(server):
    body = json.dumps({"text": "kiwi " * 400}).encode()
    with server.connect() as connection:
        connection.sendall(f"{HEAD}Content-Length: {len(body)}\r\n\r\n".encode())
        for at in range(0, len(body), 50):  # 2 s at 1,000 bytes per second, longer than any limit
            connection.sendall(body[at : at + 50])
            time.sleep(0.05)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 20")


def test_an_idle_connection_is_closed_after_a_reply(server):
    with server.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
        assert 0.5 < seconds_until_closed(connection) < 6


def test_a_client_that_does_not_read_is_closed(server):
    for name in range(12):
        path = f"{BIRDS}/documents/long-{name}"
        assert server.call("PUT", path, json={"text": "k" * 900_000}).status_code in (200, 201)
    page = f"{BIRDS}/documents"
    assert len(server.get(page).content) > 10_000_000
    counted = 'route="/v1/collections/{collection}/documents",status="200"} 2.0'
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.sendall(f"GET {page} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        time.sleep(0.4)
        assert counted not in server.get("/metrics").text  # Its reply is still being written.
        for _ in range(100):
            if counted in server.get("/metrics").text:
                return
            time.sleep(0.05)
    raise AssertionError("the reply was never broken off")


def test_new_connections_replace_idle_ones(server):
    idle = [server.connect() for _ in range(60)]
    try:
        for _ in range(5):
            assert server.get(BIRDS).status_code == 200
    finally:
        for connection in idle:
            connection.close()
    assert sum("longest idle" in line for line in server.log) <= 1


def test_livez_replies_when_all_connections_are_busy(server):
    for _ in range(10):  # On a busy machine, the server may close slow connections first.
        busy = [server.connect() for _ in range(12)]
        try:
            for connection in busy:
                connection.sendall(f"{HEAD}Content-Length: 100\r\n\r\n".encode())
            alive, refused = server.get("/livez"), server.get(BIRDS)
        finally:
            for connection in busy:
                connection.close()
        assert alive.status_code == 200
        if refused.status_code == 503:
            assert refused.json()["code"] == "overloaded"
            assert refused.headers["retry-after"] == "5"
            return
    raise AssertionError("nothing was refused")


def test_unfinished_bodies_have_a_budget(server):
    """Two bodies of 900 kB do not fit into 1 MB."""
    head = f"{HEAD}Content-Length: 900000\r\n\r\n".encode()
    with server.connect() as first, server.connect() as second:
        first.sendall(head + b" " * 800_000)
        time.sleep(0.2)
        second.sendall(head)
        answer = received(second)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 5" in answer.lower()
        assert b"overloaded" in answer
    for _ in range(100):
        if server.call("PUT", f"{BIRDS}/documents/b", json={"text": "x" * 500_000}).is_success:
            break
        time.sleep(0.02)
    else:
        raise AssertionError("the memory of the first was not given back")


def test_without_descriptors_the_log_stays_short(tmp_path):
    """Connections use all descriptors: the log stays short, and the server recovers."""
    prelude = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (110, 110))"
    other = (
        f"{prelude}\nimport twindex.api.http.server as s; s._connection_limit = lambda most: most"
    )
    server = Server(tmp_path, other, TWINDEX_MAX_CONNECTIONS="1000", TWINDEX_HEAD_SECONDS="3")
    try:
        held = [server.connect() for _ in range(300)]
        time.sleep(1.5)
        for connection in held:
            connection.close()
        for _ in range(200):
            try:
                if server.get("/livez").status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.05)
        else:
            raise AssertionError("it does not go on")
        lines = [line for line in server.log if "Too many open files" in line]
        assert len(lines) == 1
        assert len("".join(server.log)) < 5_000
    finally:
        server.process.kill()
        server.process.wait()
        server.process.stderr.close()


def test_connections_use_at_most_half_of_the_descriptors(monkeypatch, caplog):
    from twindex.api.http.arrival import requirements

    limits = {"now": (200, 300)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.update(now=new))
    assert requirements.connection_limit(100) == 100
    assert limits["now"] == (232, 300)
    assert requirements.connection_limit(1_000) == 134
    assert "ulimit -n" in caplog.text
