"""Streams of answers on real connections: raw bytes, clients that leave, and full queues."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2 as httpx
import pytest

from twindex.api.http import events as streams
from twindex.api.http.app import create_app
from twindex.core.sse import events

from .conftest import ANSWER, BIRDS, GENERATORS


def request(question: str, generator: str = "scripted", **fields: Any) -> bytes:
    """The bytes of a request for a stream."""
    body = json.dumps({"question": question, "generator": generator, "stream": True, **fields})
    head = f"POST {ANSWER} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n{body}".encode()


class Wire:
    """A connection to a server, which sends and receives raw bytes."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=30)
        self.received = b""

    def until(self, wanted: bytes) -> bytes:
        while wanted not in self.received:
            piece = self.socket.recv(65_536)
            assert piece, self.received
            self.received += piece
        return self.received

    def body(self) -> bytes:
        """The body of the reply, without the framing of its chunks."""
        head, _, rest = self.until(b"\r\n0\r\n\r\n").partition(b"\r\n\r\n")
        assert b"transfer-encoding: chunked" in head.lower()
        pieces = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            pieces.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        return b"".join(pieces)


@pytest.fixture
def connect() -> Iterator[Callable[[str], Wire]]:
    """Connect to a server. The connections are closed at the end of the test."""
    with ExitStack() as stack:

        def begin(address: str) -> Wire:
            wire = Wire(address)
            stack.callback(wire.socket.close)
            return wire

        yield begin


@pytest.fixture
def server(answering, serving) -> Iterator[Any]:
    """A server on a port, with 2 threads for answers and a queue of 1: (address, service)."""
    app = answering(answer_threads=2, answer_queue=1).app
    another = create_app(app.state.service.root, app.state.settings)
    with serving(another) as address:
        yield address, another.state.service


def wait_until(check: Any, seconds: float = 20) -> None:
    """Wait until `check` returns True."""
    began = time.perf_counter()
    while not check():
        assert time.perf_counter() < began + seconds
        time.sleep(0.002)


def test_the_bytes_of_a_stream(connect, server):
    wire = connect(server[0])
    wire.socket.sendall(request("one"))
    body = wire.body()
    head = wire.received.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 200")
    assert b"content-type: text/event-stream" in head
    assert b"x-accel-buffering: no" in head
    assert b"content-length" not in head
    pattern = rb"(?:event: [a-z]+\ndata: \{[^\n]*\}\n\n|: ping\n\n)+"
    assert re.fullmatch(pattern, body), body
    found = [(event.name, json.loads(event.data)) for event in events([body])]
    assert found[-1][0] == "done"
    assert "🐦" in body.decode()
    wire.socket.sendall(request("one"))  # The connection serves the next request.
    wire.received = b""
    assert b"event: done\n" in wire.body()


def test_a_stream_that_is_cut_at_any_byte_has_only_whole_events(connect, server):
    wire = connect(server[0])
    wire.socket.sendall(request("one"))
    body = wire.body()
    whole = [event.name for event in events([body])]
    for cut in range(len(body) + 1):
        first = list(events([body[:cut]]))
        for event in first:
            json.loads(event.data)
        assert [event.name for event in first] == whole[: len(first)]
        assert [event.name for event in events([body[:cut], body[cut:]])] == whole


def test_a_client_that_leaves_frees_its_thread_within_200_ms(connect, server, scripted):
    address, service = server
    wire = connect(address)
    wire.socket.sendall(request("slow"))
    wire.until(b"word3")
    assert service.answering.active == 1
    written = scripted.written
    wire.socket.close()
    wait_until(lambda: service.answering.active == 0)
    assert scripted.ended.is_set(), "the iterator of the model is closed"
    assert scripted.written - written <= 10, "a word takes 20 ms, so the thread took over 200 ms"
    text = httpx.get(f"{address}/metrics").text
    (tokens,) = re.findall(r"twindex_answer_completion_tokens_total\{.*scripted.*\} (\S+)", text)
    assert 3 <= float(tokens) <= 100, "the words that the model had written"


def test_a_client_that_leaves_before_the_first_text(connect, server, scripted):
    address, service = server
    wire = connect(address)
    wire.socket.sendall(request("stuck"))
    wire.until(b"event: sources")
    wire.socket.close()
    scripted.gate.set()
    wait_until(lambda: service.answering.active == 0)
    assert scripted.ended.is_set()


def test_a_plain_answer_ends_when_its_client_leaves(connect, server, scripted):
    address, service = server
    wire = connect(address)
    wire.socket.sendall(request("slow", stream=False))
    assert scripted.began.wait(20)
    wire.socket.close()
    wait_until(lambda: service.answering.active == 0)
    assert scripted.written < 100


def test_a_full_queue_is_429_and_searches_go_on(connect, server, scripted):
    address, service = server
    wires = [connect(address) for _ in range(3)]
    for number, wire in enumerate(wires, 1):
        wire.socket.sendall(request("stuck"))
        wait_until(lambda number=number: service.answering.active == number)
    with httpx.Client(base_url=address, timeout=30) as client:
        for stream in (True, False):
            body = {"question": "one", "generator": "scripted", "stream": stream}
            reply = client.post(ANSWER, json=body)
            assert (reply.status_code, reply.json()["code"]) == (429, "too_many_requests")
            assert reply.headers["retry-after"] == "1"
            assert reply.headers["content-type"] == "application/problem+json"
        began = time.perf_counter()
        for _ in range(5):
            found = client.post(f"{BIRDS}/search", json={"query": "kiwi"}).json()
            assert found["hits"][0]["id"] == "kiwi"
        assert time.perf_counter() - began < 10, "a waiting model blocks the event loop"
    wires[2].socket.close()  # The one that waits for a thread is dropped.
    wait_until(lambda: service.answering.active == 2)
    scripted.gate.set()
    for wire in wires[:2]:
        assert b"event: done" in wire.body()
    wait_until(lambda: service.answering.active == 0)


def test_two_answers_at_once_do_not_mix(connect, server):
    bodies: dict[str, bytes] = {}

    def ask(question: str) -> None:
        wire = connect(server[0])
        wire.socket.sendall(request(question))
        bodies[question] = wire.body()

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("slow a", "slow b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for question in ("slow a", "slow b"):
        found = [(event.name, json.loads(event.data)) for event in events([bodies[question]])]
        text = "".join(value["text"] for name, value in found if name == "token")
        assert text == found[-1][1]["text"]
        assert text.split() == [f"word{n}" for n in range(100)]
        assert found[-1][1]["query"] == question


def test_comments_are_sent_while_nothing_comes(connect, server, scripted, monkeypatch):
    monkeypatch.setattr(streams, "PING_SECONDS", 0.05)
    wire = connect(server[0])
    wire.socket.sendall(request("late"))
    body = wire.body()
    assert body.count(b": ping\n\n") >= 3
    assert [event.name for event in events([body])][-1] == "done"


def test_a_client_that_does_not_read_keeps_no_thread_for_ever(
    connect, server, scripted, monkeypatch
):
    monkeypatch.setattr(streams, "QUEUE", 50)
    address, service = server
    wire = connect(address)
    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    wire.socket.sendall(request("flood"))
    assert scripted.began.wait(20)
    written = -1
    while written != scripted.written:  # Until the model waits for the client.
        written = scripted.written
        time.sleep(0.3)
    assert 50 <= written < 2_000
    wire.socket.close()
    wait_until(lambda: service.answering.active == 0)
    assert scripted.ended.is_set()


def test_an_event_larger_than_the_memory_for_replies_is_an_error(answering, serving):
    app = answering(reply_memory=1_024, page_bytes=16 << 20).app
    settings, root = app.state.settings, app.state.service.root
    another = create_app(root, settings)
    with serving(another) as address, httpx.Client(base_url=address, timeout=60) as client:
        another.state.admission.replies.take(1)  # Another reply is being sent.
        for name in ("leaf", "twig"):
            text = f"The okapi eats {name * 10}. " * 20_000
            written = client.put(f"{BIRDS}/documents/{name}", json={"text": text})
            assert written.status_code == 201
        body = {
            "question": "okapi",
            "generator": "extractive",
            "stream": True,
            "context": {"tokens": 1_000_000, "passages": 1_000, "per_document": 1_000},
            "search": {"neighbours": 100, "limit": 2},
        }
        found = list(events([client.post(ANSWER, json=body).content]))
        assert [event.name for event in found] == ["error"]
        assert json.loads(found[0].data)["code"] == "overloaded"


@pytest.mark.slow
def test_a_server_process_streams_from_a_file_of_generators(connect, tmp_path, fake_config):
    file, root = tmp_path / "generators.toml", tmp_path / "data"
    root.mkdir()
    file.write_text(GENERATORS.partition("[generators.gone]")[0].partition("\n\n")[2])
    command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(root), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--generators", str(file)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        address = next(
            found[0] for line in process.stderr if (found := re.findall(r"http://\S+", line))
        )
        with httpx.Client(base_url=address, timeout=60) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200, 60)
            client.put(BIRDS, json=fake_config)
            client.put(f"{BIRDS}/documents/kiwi", json={"text": "The kiwi cannot fly."})
        wire = connect(address)
        wire.socket.sendall(request("Which bird cannot fly?", "echo"))
        names = [event.name for event in events([wire.body()])]
        assert (names[0], names[-1]) == ("sources", "done")
    finally:
        process.kill()
        process.communicate()
