"""Generators with models on servers that are killed, slow, or lie."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from twindex.ask import Limits
from twindex.core import ModelError
from twindex.core.answers import DoneEvent, TextEvent
from twindex.generate import AnswerOptions

from ..llm.conftest import Server, server
from .test_writing import made, same, task

__all__ = ["server"]  # A fixture.


def sse(*contents: str | None, finish: str | None = "stop", end: bool = True) -> list[bytes]:
    events = [
        {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": None}]}
        for content in contents
    ]
    if finish:
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    lines = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return [*lines, b"data: [DONE]\n\n"] if end else lines


Reply = Any
FAILURES: dict[str, Reply] = {
    "killed in mid-stream": lambda: (200, sse("Kiwis ", "fly [", finish=None, end=False)),
    "half JSON": lambda: (200, [*sse("Kiwis ", finish=None, end=False), b'data: {"choi\n\n']),
    "half an event": lambda: (200, [*sse("Kiwis ", finish=None, end=False), b'data: {"choices"']),
    "no finish reason": lambda: (200, sse("Kiwis fly.", finish=None)),
    "unknown finish reason": lambda: (200, sse("Kiwis fly.", finish="content_filter")),
    "content that is no text": lambda: (200, sse(7)),  # type: ignore[arg-type]
    "half of a surrogate pair": lambda: (200, sse("\ud83e")),
    "error in the stream": lambda: (200, [b'data: {"error": {"message": "out of memory"}}\n\n']),
    "no stream": lambda: (200, {"choices": []}),
    "HTTP 500": lambda: (500, {"error": "down"}),
    "HTML": lambda: (200, b"<html>"),
    "silence": lambda: (200, [*sse("Kiwis ", finish=None, end=False), 3.0]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_of_a_server_are_model_errors(server: Server, name: str) -> None:
    server.replies = [FAILURES[name]()]
    events: list[Any] = []
    began = time.perf_counter()
    stream = made(server.model(timeout_seconds=1)).stream(task())
    with pytest.raises(ModelError):
        events.extend(stream)
    assert time.perf_counter() - began < 20
    assert not any(isinstance(event, DoneEvent) for event in events)
    assert "[" not in "".join(event.text for event in events if isinstance(event, TextEvent))


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_a_server_that_never_ends_stops_at_the_deadline(server: Server, delay: float) -> None:
    pieces: list[Any] = [delay] if delay else []
    for line in sse(*["Kiwis are birds [1]. "] * 400):
        pieces += [line, 0.01]
    server.replies = [(200, pieces)]
    began = time.perf_counter()
    (answer,) = made(server.model()).answer([task()], Limits(milliseconds=400))
    assert time.perf_counter() - began < 1.5
    assert answer.finish == "timeout"
    assert all(quote.number == 1 for one in answer.citations for quote in one.quotes)


def test_a_server_that_cites_unknown_numbers(server: Server) -> None:
    server.replies = [(200, sse("Kiwis fly [", "9", "]. Emus run [2", "].", " [0", "]"))]
    (answer,) = made(server.model()).answer([task()])
    assert answer.text == "Kiwis fly. Emus run [2]."
    assert any("(9, 0)" in warning for warning in answer.warnings)


def test_a_server_that_ignores_max_tokens_is_cut(server: Server) -> None:
    server.replies = [(200, sse("Kiwis fly", *["[1] " * 1_000] * 200))]
    began = time.perf_counter()
    (answer,) = made(server.model()).answer([task(options=AnswerOptions(max_tokens=20))])
    assert time.perf_counter() - began < 5
    assert answer.finish == "length"
    assert len(answer.text) <= 20 * 32
    assert any("reached max_tokens" in warning for warning in answer.warnings)


def test_empty_events_without_end_are_cut(server: Server) -> None:
    server.replies = [(200, sse("Kiwis fly [1].", *[None] * 20_000))]
    (answer,) = made(server.model()).answer([task(options=AnswerOptions(max_tokens=20))])
    assert (answer.text, answer.finish) == ("Kiwis fly [1].", "length")


def cut_everywhere(whole: bytes) -> Iterator[list[bytes]]:
    for at in range(1, len(whole), 7):
        yield [whole[:at], whole[at:]]


def test_bytes_may_be_divided_anywhere(server: Server) -> None:
    whole = b"".join(sse("Kiwis 🥝 fly [1", "] schön 鸟 [2].", "\n\n- Emus [1, 2]"))
    server.replies = [(200, [whole])]
    one = made(server.model())
    (expected,) = one.answer([task()])
    assert len(expected.citations) == 3
    for pieces in cut_everywhere(whole):
        server.replies = [(200, pieces)]
        (answer,) = one.answer([task()])
        assert same(answer) == same(expected)


def test_a_stream_that_is_cut_at_any_byte_is_an_error_or_whole(server: Server) -> None:
    whole = b"".join(sse("Kiwis fly [1", "]."))
    server.replies = [(200, [whole])]
    one = made(server.model())
    (expected,) = one.answer([task()])
    for at in range(0, len(whole), 5):
        server.replies = [(200, [whole[:at]])]
        try:
            (answer,) = one.answer([task()])
        except ModelError:
            continue
        assert same(answer) == same(expected)
