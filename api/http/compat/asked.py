"""Questions in the form of another service, which are answered at once or in a stream."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from ....core import Usage
from ....core.answers import Answer, AnswerEvent
from ....search import AnswerRequest
from ...serving.calls import Calls
from ...serving.given import GivenQuestion
from ...serving.limits.deadline import Deadline
from ...serving.problems import Problem
from .. import body
from ..admission import answer_deadline
from ..events import Channel, event_stream
from ..render import json_response
from .conversations import Paths


class Streamed(Protocol):
    """The body of a request. stream: True: the reply is a stream of events."""

    @property
    def stream(self) -> bool | None: ...


B = TypeVar("B", bound=Streamed)


@dataclass(slots=True)
class Asked(ABC, Generic[B]):
    """One request, and how its answer is shown.

    collection: the collection to search; None: the question is about documents of the request.
    wanted:     the question in our own form.
    paths:      where the fields of `wanted` are in the request, for errors.
    spent:      usage of language models for an answer that failed; None until the models ended.
    """

    request: Request
    body: B
    collection: str | None
    wanted: AnswerRequest | GivenQuestion
    paths: Paths
    spent: Usage | None = field(default=None, init=False)

    def count(self, usage: Usage) -> None:
        """Add usage of language models for an answer that failed."""
        self.spent = usage if self.spent is None else self.spent + usage

    @abstractmethod
    def reply(self, answer: Answer) -> dict[str, Any]:
        """Return the reply for a whole answer."""

    @abstractmethod
    def events(self, event: AnswerEvent) -> Iterator[bytes]:
        """Yield the events of the other service's stream for an event of an answer."""

    @abstractmethod
    def failed(self, problem: Problem, request_id: str) -> bytes:
        """Return the last event of a stream that failed."""


async def answer_in_form(
    request: Request, parse: Callable[[dict[str, Any]], Asked[Any]]
) -> Response:
    """Answer the question of a request. parse: makes the question of the request's body."""
    raw = await body.read(request)
    calls: Calls = request.state.calls
    deadline = answer_deadline(request)
    asked = await calls.parse(lambda: parse(body.parse_object(raw)), deadline)
    if not asked.body.stream:
        return await _whole(calls, asked, deadline)
    return await event_stream(
        request,
        deadline,
        lambda channel: _stream(calls, asked, deadline, channel),
        failure=asked.failed,
    )


async def _whole(calls: Calls, asked: Asked[Any], deadline: Deadline) -> Response:
    def reply(answer: Answer) -> Response:
        return json_response(asked.reply(answer))

    if isinstance(asked.wanted, GivenQuestion):
        answering = calls.answer_given(asked.wanted, deadline, reply)
    else:
        assert asked.collection is not None
        answering = calls.answer(asked.collection, asked.wanted, deadline, reply)
    return await asked.paths.of(answering, calls.service.root)


async def _stream(calls: Calls, asked: Asked[Any], deadline: Deadline, channel: Channel) -> None:
    def put(event: AnswerEvent) -> None:
        for one in asked.events(event):
            channel.put(one)

    if isinstance(asked.wanted, GivenQuestion):
        answering = calls.stream_answer_given(asked.wanted, deadline, put, asked.count)
    else:
        assert asked.collection is not None
        answering = calls.stream_answer(asked.collection, asked.wanted, deadline, put, asked.count)
    await asked.paths.of(answering, calls.service.root)
