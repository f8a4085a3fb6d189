"""Streams of answers in the client: cut anywhere, broken, wrong, and left early."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

import twindex
from twindex.client.answers import AnswerReader
from twindex.core.answers import DoneEvent, SourcesEvent, TextEvent
from twindex.core.sse import COMMENT, encoded

from .scripted import problem

USAGE = {"calls": 1, "prompt_tokens": 2, "cached_tokens": 0, "completion_tokens": 3,
         "cache_hits": 0, "seconds": 0.1}  # fmt: skip
SOURCE = {"number": 1, "id": "kiwi", "kind": "document", "text": "A 🐦\u2028.", "start": 0,
          "end": 4, "title": "", "headings": ["H"], "page": 1, "score": 1.0, "tokens": 3,
          "ranks": [1], "cut": False}  # fmt: skip
QUOTE = {"number": 1, "id": "kiwi", "start": 0, "end": 4, "text": "A 🐦\u2028.", "support": 1.0,
         "missing": ["7"], "page": 1, "headings": ["H"], "entailment": None}  # fmt: skip
LEFT = {"rank": 2, "id": "emu", "start": 0, "end": 3, "reason": "copy", "tokens": 0, "copy_of": 1}
CITATION = {"start": 0, "end": 5, "quotes": [QUOTE], "supported": False, "origin": "marker"}
DONE = {"request_id": "r1", "took_ms": 3.0, "outcome": "answered", "text": "A bird [1]",
        "citations": [CITATION], "sources": [SOURCE], "left_out": [LEFT], "reason": None,
        "confidence": 0.5, "finish": "stop", "query": "q", "generator": "g", "usage": USAGE,
        "invalid_citations": [9],
        "timings": {"context": 1.0}, "warnings": ["w"]}  # fmt: skip
EVENTS = [("sources", {"sources": [SOURCE], "left_out": [LEFT]}), ("token", {"text": "A bird "}),
          ("token", {"text": "[1]"}), ("citation", CITATION), ("usage", USAGE),
          ("done", DONE)]  # fmt: skip
PROBLEM = {"code": "model", "detail": "it fell over", "status": 503, "request_id": "r7"}


def body(*events: tuple[str, Any]) -> bytes:
    written = [encoded(name, json.dumps(value).encode()) for name, value in events]
    return COMMENT + COMMENT.join(written)


class Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The body of a reply in pieces. An exception among them is raised."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self.pieces = pieces
        self.closed = False
        self.read = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.read += 1
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def stream(*pieces: bytes | Exception, kind: str = "text/event-stream") -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": kind}, stream=Pieces(*pieces))


class Answering:
    """Answers through the blocking or the asyncio client, from scripted responses."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self.requests: list[httpx2.Request] = []

    def events(self, *responses: httpx2.Response | Exception, **options: Any) -> list[Any]:
        """Return the events of an answer, and at its end the exception that it raised."""
        left = list(responses)

        def reply(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            response = left.pop(0)
            if isinstance(response, Exception):
                raise response
            return response

        found: list[Any] = []
        transport = httpx2.MockTransport(reply)
        try:
            if self.asynchronous:
                asyncio.run(self._collect(found, transport, options))
            else:
                with twindex.Client(transport=transport, **options) as client:
                    collection = twindex.client.RemoteCollection(client, "birds")
                    found.extend(())
                    for event in collection.answer_stream("Who?", generator="g"):
                        found.append(event)  # noqa: PERF402 - an exception must not lose events
        except twindex.TwindexError as error:
            found.append(error)
        return found

    async def _collect(
        self, found: list[Any], transport: httpx2.MockTransport, options: dict[str, Any]
    ) -> None:
        async with twindex.AsyncClient(transport=transport, **options) as client:
            collection = twindex.client.AsyncRemoteCollection(client, "birds")
            async for event in collection.answer_stream("Who?", generator="g"):
                found.append(event)  # noqa: PERF401


@pytest.fixture(params=[False, True], ids=["blocking", "asyncio"])
def answering(request: pytest.FixtureRequest) -> Answering:
    return Answering(request.param)


def test_all_events_become_values(answering):
    found = answering.events(stream(body(*EVENTS)))
    assert [type(event).event for event in found] == [name for name, _ in EVENTS]
    answer = found[-1].answer
    assert (answer.text, answer.outcome, answer.confidence) == ("A bird [1]", "answered", 0.5)
    assert answer.citations == (found[3].citation,)
    assert answer.sources == found[0].sources
    assert answer.left_out == found[0].left_out
    assert (answer.usage, answer.warnings, answer.search) == (found[4].usage, ("w",), None)
    (quote,) = answer.citations[0].quotes
    assert (quote.text, quote.missing, quote.headings) == ("A 🐦\u2028.", ("7",), ("H",))
    (sent,) = answering.requests
    assert json.loads(sent.content) == {"question": "Who?", "generator": "g", "stream": True}
    assert sent.url.path == "/v1/collections/birds/answer"


def test_a_body_cut_at_each_byte_gives_the_same_events_and_never_half_of_one():
    whole = body(*EVENTS)
    expected = list(AnswerReader().feed(whole))
    for cut in range(len(whole) + 1):
        reader = AnswerReader()
        first = list(reader.feed(whole[:cut]))
        assert first == expected[: len(first)]
        if not reader.done:
            with pytest.raises(twindex.UnavailableError, match="before the end of the answer"):
                reader.close()
        assert [*first, *reader.feed(whole[cut:])] == expected
        reader.close()
    reader = AnswerReader()
    single = [event for at in range(len(whole)) for event in reader.feed(whole[at : at + 1])]
    assert single == expected


def test_a_stream_without_done_raises_after_its_events(answering):
    *events, error = answering.events(stream(body(*EVENTS[:-1])))
    assert len(events) == 5
    assert isinstance(error, twindex.UnavailableError)
    assert "ask again" in str(error)
    assert len(answering.requests) == 1, "it is not sent again"


def test_a_connection_that_breaks_is_not_continued(answering):
    broken = stream(body(*EVENTS[:2]), httpx2.ReadError("reset"))
    *events, error = answering.events(broken)
    assert len(events) == 2
    assert isinstance(error, twindex.UnavailableError)
    assert "reset" in str(error)
    assert len(answering.requests) == 1
    complete = answering.events(stream(body(*EVENTS), httpx2.ReadError("reset")))
    assert isinstance(complete[-1], DoneEvent), "all of the answer was there"


def test_an_error_event_raises_its_error_after_the_events_before_it(answering):
    *events, error = answering.events(stream(body(*EVENTS[:3], ("error", PROBLEM))))
    assert [type(event) for event in events] == [SourcesEvent, TextEvent, TextEvent]
    assert isinstance(error, twindex.ModelError)
    assert (str(error), error.request_id) == ("it fell over", "r7")


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"text": 7', b'{"txt": ""}', b"\xff"])
def test_an_event_with_wrong_content_is_named(answering, data):
    (error,) = answering.events(stream(encoded("token", data)))
    assert isinstance(error, twindex.ServiceError)
    assert "unexpected content" in str(error)


def test_unknown_events_are_skipped(answering):
    found = answering.events(stream(body(("mood", {"good": True}), *EVENTS)))
    assert len(found) == len(EVENTS)


def test_a_reply_that_is_no_stream_is_refused(answering):
    (error,) = answering.events(stream(b"{}", kind="application/json"))
    assert isinstance(error, twindex.ServiceError)
    assert "application/json" in str(error)


def test_a_call_is_retried_until_its_stream_begins(answering):
    refused = problem(429, "too_many_requests"), httpx2.ConnectError("refused")
    found = answering.events(*refused, stream(body(*EVENTS)))
    assert isinstance(found[-1], DoneEvent)
    assert len(answering.requests) == 3
    (error,) = answering.events(problem(404, "not_found"), patience=0)
    assert isinstance(error, twindex.NotFoundError)


def test_an_iterator_that_is_closed_closes_the_connection():
    pieces = Pieces(body(*EVENTS[:2]), body(*EVENTS[2:]))
    response = httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=pieces)
    with twindex.Client(transport=httpx2.MockTransport(lambda _: response)) as client:
        events = twindex.client.RemoteCollection(client, "birds").answer_stream("Who?")
        assert isinstance(next(events), SourcesEvent)
        assert not pieces.closed
        events.close()
        assert (pieces.closed, pieces.read) == (True, 1)


def test_wrong_arguments_are_refused_before_anything_is_sent():
    with twindex.Client("http://127.0.0.1:9") as client:
        collection = twindex.client.RemoteCollection(client, "birds")
        with pytest.raises(twindex.InvalidInputError, match="question as a string"):
            collection.answer({"question": "Who?"}, generator="g")
        with pytest.raises(twindex.InvalidInputError, match="request"):
            collection.answer_stream(7)
