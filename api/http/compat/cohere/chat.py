"""Cohere's chat: a question is answered from a collection, or from documents of the request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from .....core import Usage
from .....core.answers import (
    Answer,
    AnswerEvent,
    Citation,
    CitationEvent,
    DoneEvent,
    Source,
    SourcesEvent,
    TextEvent,
)
from .....core.sse import encoded
from .....llm import Message
from ....serving.given import GivenDocument, GivenQuestion
from ....serving.problems import Problem, invalid_field, validate
from ...openapi import events, json_body
from ...strict import StrictRoute
from ..answers import details
from ..asked import Asked, answer_in_form
from ..conversations import (
    PREFIX,
    answer_request,
    collection_of,
    conversation,
    said,
)
from ..fields import unsupported
from ..replies import failures
from .fields import CHAT, MESSAGE
from .shapes import CohereChat, CohereChatBody, CohereError, text_of

router = APIRouter(tags=["compatible"], route_class=StrictRoute)

FINISH = {"stop": "COMPLETE", "length": "MAX_TOKENS", "timeout": "TIMEOUT"}
"""`finish` of an answer -> `finish_reason`."""

_GIVEN = ("context", "citations", "generator", "system_message")
"""Fields of `twindex` that a question about documents of the request may have."""

_DONE = b"data: [DONE]\n\n"

_EXAMPLE = {
    "model": "rag:birds",
    "messages": [{"role": "user", "content": "Which bird cannot fly?"}],
    "stream": False,
}

_EVENTS = events(
    "Server-sent events: `message-start`, `content-start`, `content-delta`, "
    "`citation-start`, `citation-end`, `content-end` and `message-end`, whose delta has "
    "`finish_reason`, `usage` and, after a failure, `error`."
)


@router.post(
    "/v2/chat",
    responses={
        200: {"model": CohereChat, "content": _EVENTS},
        **failures(CohereError),
    },
    openapi_extra=json_body(CohereChatBody, _EXAMPLE),
)
async def create_chat(request: Request) -> Response:
    """Answer a question from a collection or from given documents, in the form of Cohere's chat.

    The collection is part of the model: `rag:COLLECTION`. With `documents`, the model is the name
    of a generator. Fields of Cohere's interface that no generator supports are refused by name.
    """
    return await answer_in_form(request, lambda given: _parse(request, given))


def _event(kind: str, **fields: Any) -> bytes:
    return encoded(kind, orjson.dumps({"type": kind, **fields}))


def _parse(request: Request, given: dict[str, Any]) -> _Asked:
    given = MESSAGE.supported_items(CHAT.supported(given), "messages")
    parsed = validate(CohereChatBody, given)
    fields = parsed.twindex
    system = "refuse" if fields is None else fields.system_message
    talk = conversation(said(parsed.messages, "messages"), system, "messages")
    options: dict[str, Any] = {
        "max_tokens": parsed.max_tokens,
        "temperature": parsed.temperature,
        "seed": parsed.seed,
    }
    given_citations = {} if fields is None else fields.citations or {}
    options["citations"] = {"markers": "remove", **given_citations}
    if not parsed.documents:
        service = request.state.service
        if parsed.model in service.generators.names:
            raise invalid_field(
                "documents",
                f"is required with the generator {parsed.model!r}; to search a collection, use the "
                f"model {PREFIX}COLLECTION:{parsed.model}",
            )
        collection, generator = collection_of(service, parsed.model)
        wanted, paths = answer_request(talk, fields, generator, options)
        return _Asked(request, parsed, collection, wanted, paths)
    if parsed.model.startswith(PREFIX):
        raise unsupported(
            "documents",
            f"cannot be sent with {parsed.model!r}, which answers from a collection; name a "
            "generator instead, such as `extractive`",
        )
    for name in () if fields is None else sorted(fields.model_fields_set - {*_GIVEN}):
        raise unsupported(f"twindex.{name}", "is not supported with `documents`; remove it")
    # The same checks as for a collection; nothing is searched.
    options["context"] = {"passages": 100, "tokens": 1_000_000}
    options["context"] |= {} if fields is None else fields.context or {}
    plain = None if fields is None else fields.model_copy(update={"context": None})
    wanted, paths = answer_request(talk, plain, parsed.model, options)
    documents = _documents(parsed)
    turns = [Message(turn.role, turn.content) for turn in wanted.turns]
    asked = GivenQuestion(wanted.question, documents, parsed.model, wanted, turns)
    return _Asked(request, parsed, None, asked, paths)


def _documents(parsed: CohereChatBody) -> list[GivenDocument]:
    """Return the documents of a request. Raises Problem 422 for one without a text."""
    found: dict[str, GivenDocument] = {}
    for i, one in enumerate(parsed.documents):
        path = f"documents[{i}]"
        name = one.id if one.id is not None else f"doc:{i}"
        title = one.data.get("title")
        try:
            if name in found:
                raise ValueError(f"{path}.id {name!r} is the id of an earlier document")
            text = text_of(one, path)
            if title is not None and not isinstance(title, str):
                raise ValueError(f"{path}.data.title must be a string")
        except ValueError as error:
            errors = [{"field": path, "message": str(error)}]
            raise Problem(422, str(error), errors=errors) from None
        found[name] = GivenDocument(name, text, title or "")
    return list(found.values())


def _usage(usage: Usage) -> dict[str, Any]:
    tokens = {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": usage.cached_tokens}


@dataclass(slots=True)
class _Asked(Asked[CohereChatBody]):
    """One request, and how its answer is shown."""

    _said: str = ""
    _sent: int = 0
    _sources: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def _mode(self) -> str:
        options = self.body.citation_options
        return "ENABLED" if options is None else options.mode

    @property
    def _cites(self) -> bool:
        return self._mode not in ("OFF", "DISABLED")

    def reply(self, answer: Answer) -> dict[str, Any]:
        """Return the reply for a whole answer."""
        self._read(answer.sources)
        shown = [self._citation(one, answer.text) for one in answer.citations]
        return {
            "id": self.request.state.request_id,
            "finish_reason": FINISH[answer.finish],
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": answer.text}],
                "citations": shown if self._cites else [],
            },
            "usage": _usage(answer.usage),
            "twindex": details(answer),
        }

    def events(self, event: AnswerEvent) -> Iterator[bytes]:
        """Yield Cohere's events for an event of an answer."""
        if isinstance(event, SourcesEvent):
            self._read(event.sources)
            start = {"message": {"role": "assistant", "content": [], "citations": []}}
            yield _event("message-start", id=self.request.state.request_id, delta=start)
            content = {"message": {"content": {"type": "text", "text": ""}}}
            yield _event("content-start", index=0, delta=content)
        elif isinstance(event, TextEvent):
            self._said += event.text
            content = {"message": {"content": {"text": event.text}}}
            yield _event("content-delta", index=0, delta=content)
        elif isinstance(event, CitationEvent):
            if self._mode in ("FAST", "ENABLED"):
                yield from self._cited(event.citation)
        elif isinstance(event, DoneEvent):
            yield from self._end(event.answer)

    def failed(self, problem: Problem, request_id: str) -> bytes:
        """Return the last event of a stream that failed, and its end.

        After a time limit, the model may still be working, so the usage is not known: null.
        """
        usage = None if self.spent is None else _usage(self.spent)
        delta = {"finish_reason": "ERROR", "usage": usage, "error": problem.detail}
        return _event("message-end", id=request_id, delta=delta) + _DONE

    def _end(self, answer: Answer) -> Iterator[bytes]:
        if self._mode == "ACCURATE":
            for one in answer.citations:
                yield from self._cited(one)
        yield _event("content-end", index=0)
        delta = {"finish_reason": FINISH[answer.finish], "usage": _usage(answer.usage)}
        yield _event(
            "message-end", id=self.request.state.request_id, delta=delta, twindex=details(answer)
        )
        yield _DONE

    def _cited(self, citation: Citation) -> Iterator[bytes]:
        delta = {"message": {"citations": self._citation(citation, self._said)}}
        yield _event("citation-start", index=self._sent, delta=delta)
        yield _event("citation-end", index=self._sent)
        self._sent += 1

    def _read(self, sources: Sequence[Source]) -> None:
        """Note the sources that citations name."""
        given: dict[str, dict[str, Any]] = {}
        if self.collection is None:
            given = {
                document.id if document.id is not None else f"doc:{i}": document.data
                for i, document in enumerate(self.body.documents)
            }
        for one in sources:
            shown = {"title": one.title, "text": one.text}
            self._sources[one.number] = {"id": one.id, **given.get(one.id, shown)}

    def _citation(self, citation: Citation, text: str) -> dict[str, Any]:
        return {
            "start": citation.start,
            "end": citation.end,
            "text": text[citation.start : citation.end],
            "sources": [
                {
                    "type": "document",
                    "id": quote.id,
                    "document": self._sources.get(quote.number, {"id": quote.id}),
                    "quote": {
                        "start": quote.start,
                        "end": quote.end,
                        "text": quote.text,
                        "support": quote.support,
                    },
                }
                for quote in citation.quotes
            ],
            "content_index": 0,
            "type": "TEXT_CONTENT",
            "supported": citation.supported,
        }
