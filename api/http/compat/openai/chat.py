"""OpenAI's chat completions: the last message is a question, which a collection answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import time
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from .....core import Config
from .....core.answers import Answer, AnswerEvent, DoneEvent, SourcesEvent, TextEvent
from .....core.bounds import Bounds, Seed
from .....core.config import Flag
from .....core.sse import encoded
from ....serving.problems import Problem, invalid_field, validate
from ...openapi import events, json_body
from ...shapes.failures import OpenAIErrorReply
from ...shapes.shape import Shape
from ...strict import StrictRoute
from ..answers import Links, further
from ..asked import Asked, answer_in_form
from ..conversations import (
    AnswerFields,
    answer_request,
    collection_of,
    conversation,
    said,
)
from ..errors import openai_error
from ..replies import failures
from .fields import CHAT, MESSAGE
from .shapes import (
    Annotation,
    ChatUsage,
    FoundSource,
    chat_usage,
    url_annotations,
)

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

DONE = b"data: [DONE]\n\n"

FINISH = {"stop": "stop", "length": "length", "timeout": "length"}
"""`finish` of an answer -> `finish_reason`."""

_EXAMPLE = {
    "model": "rag:birds",
    "messages": [{"role": "user", "content": "Which bird cannot fly?"}],
    "stream": False,
}


class ChatMessage(Config):
    """A message of a conversation.

    role:    "user" or "assistant". Messages with the role "system" or "developer" are refused,
             unless `twindex.system_message` is "ignore".
    content: a text, or a list of parts with the type "text".
    """

    role: str
    content: str | list[dict[str, Any]]


class StreamOptions(Config):
    """Options of a stream.

    include_usage: send the usage in a chunk of its own, before the end.
    include_obfuscation: accepted, and without effect: the chunks are sent as they are.
    """

    include_usage: Flag = False
    include_obfuscation: Flag = False


class ChatCompletionBody(Config):
    """A question to a collection, as a conversation.

    model:       `rag:COLLECTION` or `rag:COLLECTION:GENERATOR`.
    messages:    the conversation. The last message is the question.
    stream:      reply with chunks while the answer is written.
    stream_options: options of the stream.
    max_tokens, max_completion_tokens: maximum number of tokens of the answer, 256 by default. For a
                 generator without a language model, number of words.
    temperature: temperature of the sampling, 0 by default.
    seed:        seed of the sampling, 0 by default.
    twindex:     further fields of a request for an answer.
    """

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=1_000)
    stream: Flag | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Bounds(1, 100_000)] | None = None
    max_completion_tokens: Annotated[int, Bounds(1, 100_000)] | None = None
    temperature: Annotated[float, Bounds(0, 10)] | None = None
    seed: Seed | None = None
    twindex: AnswerFields | None = None


class AssistantMessage(Shape):
    """The answer.

    role:        always "assistant".
    content:     the text of the answer.
    refusal:     always null.
    annotations: the citations; empty if the answer cites nothing.
    """

    role: Literal["assistant"]
    content: str
    refusal: None
    annotations: list[Annotation]


class ChatChoice(Shape):
    """The only choice of a reply.

    index:    always 0.
    message:  the answer.
    finish_reason: "stop"; "length" if the limit of tokens or of time was reached.
    logprobs: always null.
    """

    index: int
    message: AssistantMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None


class ChatCompletion(Shape):
    """The reply to a question.

    id:      id of the request after "chatcmpl-".
    object:  always "chat.completion".
    created: time of the reply, in Unix seconds.
    model:   the model of the request.
    choices: the answer.
    usage:   tokens that language models read and wrote.
    system_fingerprint: always null.
    citations: addresses of the sources, in the order of their numbers.
    search_results: the sources, in the order of their numbers.
    twindex: the other fields of the native reply, such as `outcome`, `reason`, `citations` with
             quotes, `left_out` and `warnings`.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: ChatUsage
    system_fingerprint: None
    citations: list[str]
    search_results: list[FoundSource]
    twindex: dict[str, Any]


_CHUNKS = events(
    "Server-sent events without a type: `chat.completion.chunk` objects, then "
    "`[DONE]`. The chunk with `finish_reason` has `annotations` in its delta, and `citations`, "
    "`search_results` and `twindex`. An error after the first chunk is an object with `error`."
)


@router.post(
    "/v1/chat/completions",
    responses={
        200: {"model": ChatCompletion, "content": _CHUNKS},
        **failures(OpenAIErrorReply),
    },
    openapi_extra=json_body(ChatCompletionBody, _EXAMPLE),
)
async def create_chat_completion(request: Request) -> Response:
    """Answer a question from a collection, in the form of OpenAI's chat completions.

    The collection is part of the model: `rag:COLLECTION`. Fields of OpenAI's interface that no
    generator supports are refused by name.
    """
    return await answer_in_form(request, lambda given: _parse(request, given))


def _parse(request: Request, given: dict[str, Any]) -> _Asked:
    given = MESSAGE.supported_items(CHAT.supported(given), "messages")
    parsed = validate(ChatCompletionBody, given)
    if parsed.stream_options is not None and not parsed.stream:
        raise invalid_field("stream_options", "is only allowed with `stream`")
    limits = {parsed.max_tokens, parsed.max_completion_tokens} - {None}
    if len(limits) > 1:
        raise invalid_field("max_completion_tokens", "differs from `max_tokens`; set one of them")
    collection, generator = collection_of(request.state.service, parsed.model)
    system = "refuse" if parsed.twindex is None else parsed.twindex.system_message
    talk = conversation(said(parsed.messages, "messages"), system, "messages")
    options = {
        "max_tokens": next(iter(limits), None),
        "temperature": parsed.temperature,
        "seed": parsed.seed,
    }
    limit = "max_tokens" if parsed.max_completion_tokens is None else "max_completion_tokens"
    wanted, paths = answer_request(talk, parsed.twindex, generator, options, limit)
    return _Asked(request, parsed, collection, wanted, paths, int(time()))


@dataclass(slots=True)
class _Asked(Asked[ChatCompletionBody]):
    """One request, and how its answer is shown. created: time of the request, in seconds."""

    created: int

    @property
    def _head(self) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.request.state.request_id}",
            "created": self.created,
            "model": self.body.model,
            "system_fingerprint": None,
        }

    def reply(self, answer: Answer) -> dict[str, Any]:
        """Return the reply for a whole answer."""
        links = Links(self.request, self.collection, answer)
        message = {
            "role": "assistant",
            "content": answer.text,
            "refusal": None,
            "annotations": url_annotations(answer, links),
        }
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": FINISH[answer.finish],
            "logprobs": None,
        }
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": chat_usage(answer.usage),
            **further(answer, links),
        }

    def events(self, event: AnswerEvent) -> Iterator[bytes]:
        """Yield the chunks for an event of an answer."""
        if isinstance(event, SourcesEvent):
            yield self._chunk({"role": "assistant", "content": ""})
        elif isinstance(event, TextEvent):
            yield self._chunk({"content": event.text})
        elif isinstance(event, DoneEvent):
            links = Links(self.request, self.collection, event.answer)
            delta = {"annotations": url_annotations(event.answer, links)}
            yield self._chunk(delta, FINISH[event.answer.finish], **further(event.answer, links))
            if self._counts:
                whole = {"choices": [], "usage": chat_usage(event.answer.usage)}
                yield self._encoded(whole)
            yield DONE

    def failed(self, problem: Problem, request_id: str) -> bytes:
        """Return the last event of a stream that failed; OpenAI's clients raise its error."""
        return encoded(None, orjson.dumps({"error": openai_error(problem, request_id)}))

    @property
    def _counts(self) -> bool:
        options = self.body.stream_options
        return options is not None and options.include_usage

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, **others: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        usage = {"usage": None} if self._counts else {}
        return self._encoded({"choices": [choice], **usage, **others})

    def _encoded(self, value: dict[str, Any]) -> bytes:
        whole = {**self._head, "object": "chat.completion.chunk", **value}
        return encoded(None, orjson.dumps(whole))
