"""OpenAI's responses: a question to a collection, and the answer as the text of one message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from .....core import Config
from .....core.answers import Answer, AnswerEvent, DoneEvent, SourcesEvent, TextEvent
from .....core.bounds import Bounds
from .....core.config import Flag
from .....core.errors import shown
from .....core.sse import encoded
from ....serving.problems import Problem, validate
from ...openapi import events, json_body
from ...shapes.failures import OpenAIErrorReply
from ...strict import StrictRoute
from ..answers import Links, further
from ..asked import Asked, answer_in_form
from ..conversations import (
    AnswerFields,
    Said,
    answer_request,
    collection_of,
    conversation,
    said,
)
from ..fields import unsupported
from ..replies import failures
from .fields import RESPONSES
from .response_shapes import ResponseReply
from .shapes import url_annotations

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

_TYPES = ("input_text", "output_text", "text")
"""Values of `type` of the parts of a message that are read."""

_EXAMPLE = {"model": "rag:birds", "input": "Which bird cannot fly?", "stream": False}

_EVENTS = events(
    "Server-sent events, from `response.created` to `response.completed` (or "
    "`response.incomplete`, if a limit was reached). After a failure, the last event is `error`."
)


class InputMessage(Config):
    """A message of a conversation.

    type:    "message".
    role:    "user" or "assistant".
    content: a text, or a list of parts with the type "input_text" or "output_text".
    id, status, phase: fields of an earlier reply, which clients send back; without effect.
    """

    type: str = "message"
    role: str = ""
    content: str | list[dict[str, Any]] = ""
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class ResponsesBody(Config):
    """A question to a collection.

    model:       `rag:COLLECTION` or `rag:COLLECTION:GENERATOR`.
    input:       the question, or a conversation whose last message is the question.
    stream:      reply with events while the answer is written.
    max_output_tokens: maximum number of tokens of the answer, 256 by default. For a generator
                 without a language model, number of words.
    temperature: temperature of the sampling, 0 by default.
    metadata:    returned with the reply; nothing is stored.
    twindex:     further fields of a request for an answer.
    """

    model: str
    input: str | Annotated[list[InputMessage], Field(min_length=1, max_length=1_000)]
    stream: Flag | None = None
    max_output_tokens: Annotated[int, Bounds(1, 100_000)] | None = None
    temperature: Annotated[float, Bounds(0, 10)] | None = None
    metadata: dict[str, str] | None = None
    twindex: AnswerFields | None = None


@router.post(
    "/v1/responses",
    responses={
        200: {"model": ResponseReply, "content": _EVENTS},
        **failures(OpenAIErrorReply),
    },
    openapi_extra=json_body(ResponsesBody, _EXAMPLE),
)
async def create_response(request: Request) -> Response:
    """Answer a question from a collection, in the form of OpenAI's responses. Nothing is stored."""
    return await answer_in_form(request, lambda given: _parse(request, given))


def _parse(request: Request, given: dict[str, Any]) -> _Asked:
    given = RESPONSES.supported(given)
    items = given.get("input")
    for i, one in enumerate(items if isinstance(items, list) else ()):
        kind = one.get("type", "message") if isinstance(one, dict) else "message"
        if kind != "message":
            raise unsupported(
                f"input[{i}].type", f"must be message, got {shown(kind)}; remove this item"
            )
    parsed = validate(ResponsesBody, given)
    collection, generator = collection_of(request.state.service, parsed.model)
    if isinstance(parsed.input, str):
        messages = [Said("user", parsed.input, "input", "input")]
    else:
        messages = said(parsed.input, "input", _TYPES)
    system = "refuse" if parsed.twindex is None else parsed.twindex.system_message
    talk = conversation(messages, system, "input")
    options = {"max_tokens": parsed.max_output_tokens, "temperature": parsed.temperature}
    wanted, paths = answer_request(talk, parsed.twindex, generator, options, "max_output_tokens")
    return _Asked(request, parsed, collection, wanted, paths, int(time()))


@dataclass(slots=True)
class _Asked(Asked[ResponsesBody]):
    """One request, and how its answer is shown. created: time of the request, in seconds."""

    created: int
    _number: int = 0
    _text: str = ""

    @property
    def _item_id(self) -> str:
        return f"msg_{self.request.state.request_id}"

    def _head(self, status: str) -> dict[str, Any]:
        """Return the reply before the answer is known."""
        return {
            "id": f"resp_{self.request.state.request_id}",
            "object": "response",
            "created_at": self.created,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": self.body.max_output_tokens,
            "metadata": self.body.metadata or {},
            "model": self.body.model,
            "output": [],
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "store": False,
            "temperature": self.body.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": None,
            "truncation": "disabled",
            "usage": None,
        }

    def _item(self, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        return {
            "id": self._item_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _part(self, text: str, annotations: list[dict[str, Any]]) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}

    def reply(self, answer: Answer) -> dict[str, Any]:
        """Return the reply for a whole answer."""
        links = Links(self.request, self.collection, answer)
        whole = answer.finish == "stop"
        status = "completed" if whole else "incomplete"
        usage = answer.usage
        part = self._part(answer.text, _annotations(answer, links))
        return {
            **self._head(status),
            "incomplete_details": None if whole else {"reason": "max_output_tokens"},
            "output": [self._item([part], status)],
            "usage": {
                "input_tokens": usage.prompt_tokens,
                "input_tokens_details": {
                    "cached_tokens": usage.cached_tokens,
                    "cache_write_tokens": 0,
                },
                "output_tokens": usage.completion_tokens,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            },
            **further(answer, links),
        }

    def events(self, event: AnswerEvent) -> Iterator[bytes]:
        """Yield the events of OpenAI's stream for an event of an answer."""
        place = {"item_id": self._item_id, "output_index": 0, "content_index": 0}
        if isinstance(event, SourcesEvent):
            started = self._head("in_progress")
            yield self._event("response.created", response=started)
            yield self._event("response.in_progress", response=started)
            item = self._item([], "in_progress")
            yield self._event("response.output_item.added", output_index=0, item=item)
            part = self._part("", [])
            yield self._event("response.content_part.added", **place, part=part)
        elif isinstance(event, TextEvent):
            text = event.text
            yield self._event("response.output_text.delta", **place, delta=text, logprobs=[])
        elif isinstance(event, DoneEvent):
            yield from self._end(event.answer, place)

    def _end(self, answer: Answer, place: dict[str, Any]) -> Iterator[bytes]:
        reply = self.reply(answer)
        (item,) = reply["output"]
        (part,) = item["content"]
        for i, one in enumerate(part["annotations"]):
            kind = "response.output_text.annotation.added"
            yield self._event(kind, **place, annotation_index=i, annotation=one)
        yield self._event("response.output_text.done", **place, text=answer.text, logprobs=[])
        yield self._event("response.content_part.done", **place, part=part)
        yield self._event("response.output_item.done", output_index=0, item=item)
        yield self._event(f"response.{reply['status']}", response=reply)

    def _event(self, kind: str, **fields: Any) -> bytes:
        value = {"type": kind, "sequence_number": self._number, **fields}
        self._number += 1
        return encoded(kind, orjson.dumps(value))

    def failed(self, problem: Problem, request_id: str) -> bytes:
        """Return the last event of a stream that failed."""
        return self._event("error", code=problem.code, message=problem.detail, param=None)


def _annotations(answer: Answer, links: Links) -> list[dict[str, Any]]:
    """Return the annotations in the form of responses, whose fields are on one level."""
    return [
        {"type": one["type"], **one["url_citation"], "supported": one["supported"]}
        for one in url_annotations(answer, links)
    ]
