"""Requests that another worker passes on do not wait forever for the worker that writes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from twindex.api.http.arrival import relay as module
from twindex.api.http.arrival.relay import Relay
from twindex.api.serving.operations.workers import WRITER, Board, Place, board_of, socket_of
from twindex.api.serving.problems import Problem

from .conftest import BIRDS, LEXICAL, NDJSON

BULK = f"{BIRDS}/documents/bulk"
Writer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(module, "_WATCH_SECONDS", 0.05)
    Board(board_of(tmp_path), 2, create=True)
    monkeypatch.chdir(tmp_path)  # The path of a socket is short.
    monkeypatch.setattr(module, "socket_of", lambda _: Path("writer.sock"))
    return tmp_path


def sent(folder: Path, writer: Writer, *, method: str = "POST", beats: int = 0) -> list[Any]:
    """Pass a request on to a writer that reacts so many times, each after 50 ms."""
    place = Place.join(2, 2, folder, 0)
    replies: list[Any] = []
    body = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> Any:
        if body:
            return body.pop()
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        replies.append(message)

    async def run() -> None:
        async with await asyncio.start_unix_server(writer, socket_of(folder).name):
            place.board.enter(WRITER, "ready")

            async def beat() -> None:
                for _ in range(beats):
                    place.board.beat(WRITER)
                    await asyncio.sleep(0.05)

            task = asyncio.create_task(beat())
            scope = {
                "method": method,
                "path": BULK,
                "raw_path": BULK.encode(),
                "query_string": b"",
                "headers": [(b"host", b"localhost"), (b"content-length", b"2")][
                    : 1 + (method != "GET")
                ],
            }
            try:
                await Relay(place).send(scope, receive, send, b"r")
            finally:
                task.cancel()

    asyncio.run(run())
    return replies


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        await reader.read()
    writer.close()


async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await reader.readexactly(2)
    await asyncio.sleep(0.8)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    await writer.drain()
    writer.close()


async def stop_amid_a_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")
    await hang(reader, writer)


def test_a_write_ends_when_the_writer_does_not_react(folder: Path) -> None:
    with pytest.raises(Problem, match="has not reacted for 0 seconds") as caught:
        sent(folder, hang)
    problem = caught.value
    assert (problem.status, problem.code) == (503, "writer_unavailable")
    assert "not known whether the request took effect" in problem.detail
    assert "with the same Idempotency-Key, and it takes effect once" in problem.detail
    assert problem.headers["Retry-After"]


def test_a_read_that_the_writer_does_not_answer_can_be_repeated(folder: Path) -> None:
    with pytest.raises(Problem, match="has not reacted for 0 seconds; send the request again"):
        sent(folder, hang, method="GET")


def test_a_slow_writer_that_reacts_is_waited_for(folder: Path) -> None:
    replies = sent(folder, answer_late, beats=100)
    assert replies[0]["status"] == 200
    assert b"".join(message.get("body", b"") for message in replies) == b"ok"


def test_a_writer_that_reacts_but_never_replies_has_a_time_limit(folder, monkeypatch) -> None:
    async def forget(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await hang(reader, writer)

    monkeypatch.setattr(module, "REPLY_SECONDS", 0.3)
    with pytest.raises(Problem, match=r"not replied for 0\.3 seconds, and it is not known"):
        sent(folder, forget, beats=100)


def test_a_reply_that_stops_breaks_the_connection(folder: Path) -> None:
    with pytest.raises(ConnectionError, match="has not reacted"):
        sent(folder, stop_amid_a_reply)


def test_nothing_is_sent_to_a_writer_that_does_not_react(folder: Path) -> None:
    place = Place.join(2, 2, folder, 0)
    place.board.enter(WRITER, "ready")
    assert Relay(place).takes("GET", "/v1/jobs")
    time.sleep(0.25)
    assert not Relay(place).takes("GET", "/v1/jobs"), "this worker answers as well as it can"

    async def nothing(*_: Any) -> Any:
        raise AssertionError("sent")

    scope = {"method": "POST", "path": BULK, "query_string": b"", "headers": []}
    with pytest.raises(Problem, match="does not react; nothing was written"):
        asyncio.run(Relay(place).send(scope, nothing, nothing, b"r"))


@pytest.mark.slow
def test_other_workers_do_not_wait_for_a_writer_that_hangs(start) -> None:
    server = start()
    assert server.call("PUT", BIRDS, LEXICAL)[0] == 201
    line = b'{"id": "a", "text": "a bird"}\n'
    key = {**NDJSON, "idempotency-key": "once"}
    writer = server.pids()[1]
    os.kill(writer, signal.SIGSTOP)
    try:
        statuses: list[Any] = []

        def write() -> None:
            with suppress(OSError):  # Connections of the worker that hangs.
                statuses.append(server.call("POST", BULK, line, key))

        # The kernel may give some connections to the worker that hangs.
        threads = [threading.Thread(target=write, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while not statuses and time.monotonic() < until:
            time.sleep(0.1)
        assert statuses[0][0] == 503
        assert statuses[0][1]["code"] == "writer_unavailable"
        assert server.call("POST", f"{BIRDS}/search", {"query": "bird"})[0] == 200
    finally:
        os.kill(writer, signal.SIGCONT)
    for thread in threads:
        thread.join(60)
    until = time.monotonic() + 60
    while (reply := server.call("POST", BULK, line, key))[0] != 200:
        assert reply[0] in (409, 503), reply
        assert time.monotonic() < until
        time.sleep(0.1)
    assert server.documents() == 1
