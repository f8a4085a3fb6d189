"""The calls that all interfaces share work without an HTTP request, and end when they should."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from twindex.api.serving.access.seen import Seen
from twindex.api.serving.calls import Calls
from twindex.api.serving.embedding import EmbedTask
from twindex.api.serving.limits.deadline import Deadline
from twindex.api.serving.problems import ClientGone, Problem
from twindex.core import InvalidInputError, NotFoundError, Representation
from twindex.search import AnswerRequest, SearchRequest

TASK = EmbedTask("birds/dense", ["a"] * 1_000)


class SlowEncoder:
    """An encoder that embeds a text each 10 ms. stopped: set when `encode` ends early."""

    dimensions = 2

    def __init__(self) -> None:
        self.began = threading.Event()
        self.stopped = threading.Event()

    def encode(
        self, texts: list[str], *, role: str, advance: Callable[[int], None]
    ) -> Representation:
        try:
            for _ in texts:
                self.began.set()
                time.sleep(0.01)
                advance(1)
        except BaseException:
            self.stopped.set()
            raise
        return Representation(dense=np.zeros((len(texts), 2), np.float32))


def calls_of(client: Any) -> Calls:
    state = client.app.state
    return Calls(Seen(state.service), state.settings, state.metrics)


@pytest.fixture
def calls(client: Any) -> Calls:
    return calls_of(client)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


def test_searches_and_answers_need_no_request(calls):
    deadline = Deadline.of(calls.settings)
    wanted = SearchRequest(query="which bird cannot fly", limit=1)
    hits = run(calls.search("birds", lambda _: wanted, deadline, lambda *found: found[2].hits))
    assert len(hits) == 1
    batch = run(
        calls.search_batch(
            "birds", lambda _: [wanted, wanted], deadline, lambda *found: len(found[2])
        )
    )
    assert batch == 2
    asked = AnswerRequest(question="Which bird cannot fly?")
    answer = run(calls.answer("birds", asked, deadline, lambda whole: whole))
    events: list[Any] = []
    run(calls.stream_answer("birds", asked, deadline, events.append))
    assert events[-1].answer.text == answer.text
    (document,) = run(calls.documents("birds", ["kiwi"], deadline))
    assert document.title == "Kiwi"


def test_errors_are_those_of_the_routes(calls):
    deadline = Deadline.of(calls.settings)
    with pytest.raises(NotFoundError, match="did you mean 'birds'"):
        run(calls.documents("bird", ["kiwi"], deadline))
    with pytest.raises(NotFoundError):
        run(calls.documents("birds", ["nobody"], deadline))
    long = SearchRequest(query="x" * (calls.settings.query_chars + 1))
    with pytest.raises(Problem) as refused:
        run(calls.search("birds", lambda _: long, deadline, lambda *found: found))
    assert refused.value.status == 422
    with pytest.raises(InvalidInputError):
        run(calls.embed(lambda: EmbedTask("birds/lexical", ["a"]), deadline, lambda *_: None))


@pytest.fixture
def slow(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> SlowEncoder:
    encoder = SlowEncoder()
    collection = calls.service._service._served["birds"].collection
    monkeypatch.setattr(collection, "encoder", lambda leg: encoder)
    return encoder


def test_embeddings_end_at_the_time_limit(calls, slow):
    with pytest.raises(Problem) as late:
        run(calls.embed(lambda: TASK, Deadline(0.2, 1_000, "embed_seconds"), lambda *_: None))
    assert late.value.status == 504
    assert "embed_seconds" in late.value.detail
    assert slow.stopped.wait(5)


def test_embeddings_end_when_the_client_leaves_or_cancels(calls, slow):
    async def leave() -> None:
        while not slow.began.is_set():
            await asyncio.sleep(0.01)

    with pytest.raises(ClientGone):
        run(calls.embed(lambda: TASK, Deadline(30, 1_000, leaving=leave), lambda *_: None))
    assert slow.stopped.wait(5)

    async def cancel() -> None:
        slow.began.clear()
        slow.stopped.clear()
        work = asyncio.ensure_future(
            calls.embed(lambda: TASK, Deadline(30, 1_000), lambda *_: None)
        )
        await leave()
        work.cancel()
        await asyncio.wait([work])
        assert work.cancelled()

    run(cancel())
    assert slow.stopped.wait(5)


def test_embeddings_have_a_bounded_queue_and_leave_threads_for_searches(serve, fake_config):
    client = serve(embed_threads=1, embed_queue=0)
    assert client.put("/v1/collections/birds", json=fake_config).status_code == 201
    calls = calls_of(client)
    slow = SlowEncoder()
    calls.service._service._served["birds"].collection.encoder = lambda leg: slow

    async def scenario() -> None:
        deadline = Deadline(30, 1_000)
        first = asyncio.ensure_future(calls.embed(lambda: TASK, deadline, lambda *_: None))
        while not slow.began.is_set():
            await asyncio.sleep(0.01)
        with pytest.raises(Problem) as refused:
            await calls.embed(lambda: TASK, Deadline(30, 1_000), lambda *_: None)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
        wanted = SearchRequest(query="kiwi")
        await calls.search("birds", lambda _: wanted, Deadline(30, 1_000), lambda *found: None)
        first.cancel()
        await asyncio.wait([first])

    run(scenario())
