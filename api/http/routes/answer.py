"""Answer a question from the documents of a collection, with citations."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core import MissingExtraError, ModelError
from ....core.answers import Answer, AnswerEvent, DoneEvent
from ....core.closing import close_iterator
from ....core.sse import MEDIA_TYPE, encoded
from ....search import AnswerRequest
from ...serving.problems import Problem, problem_of, validate
from ...serving.served import Served
from ...serving.service import Service
from ...serving.work import check_answer
from .. import body, render
from ..admission import Deadline
from ..events import Channel, event_stream
from ..openapi import COLLECTION, json_body, problems
from ..shapes.answers import AnswerBody, AnswerReply
from ..strict import StrictRoute
from .search import observe, server_timing

router = APIRouter(tags=["search"], route_class=StrictRoute)

_EXAMPLE = {"question": "Which bird cannot fly?", "search": {"limit": 5}, "stream": False}

_EVENTS = {
    "type": "string",
    "description": "Server-sent events: `sources`, `token`, `citation`, `usage`, and last `done`, "
    "whose data is the reply without `stream`, or `error`, whose data is problem details.",
}


@router.post(
    "/v1/collections/{collection}/answer",
    responses={
        200: {"model": AnswerReply, "content": {MEDIA_TYPE: {"schema": _EVENTS}}},
        **problems(400, 404, 409, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra={**json_body(AnswerBody, _EXAMPLE), "parameters": [COLLECTION]},
)
async def answer(request: Request) -> Response:
    """Answer a question from the documents of one collection, with citations.

    With `stream`, or with the header `Accept: text/event-stream`, the reply is a stream of
    server-sent events while the answer is written.
    """
    raw = await body.read(request)
    began, deadline = perf_counter(), Deadline.of_answer(request)
    service: Service = request.app.state.service
    collection = request.path_params["collection"]

    def parse(_: Served) -> AnswerBody:
        parsed = validate(AnswerBody, body.parse_object(raw))
        check_answer(request.app.state.settings, parsed)
        return parsed

    parsed = await deadline.wait(request, service.read(collection, parse))
    asked = _Asked(request, parsed, deadline, began)
    if not _wants_stream(request, parsed):
        return await deadline.wait(request, service.answer(collection, asked.whole))
    return await event_stream(
        request,
        deadline,
        lambda channel: service.answer(collection, lambda served: asked.stream(served, channel)),
    )


def answer_events(
    request: Request, wanted: AnswerRequest, deadline: Deadline, served: Served
) -> Iterator[AnswerEvent]:
    """Yield the events of an answer, and record its metrics."""
    metrics = request.app.state.metrics
    service: Service = request.app.state.service
    collection = served.ready()[0]
    events = collection.answer_stream(wanted, guard=deadline.guard)
    generator = wanted.generator or service.generators.default
    began = perf_counter()
    try:
        for event in events:
            if isinstance(event, DoneEvent):
                if event.answer.search is not None:
                    observe(request, event.answer.search)
                metrics.answer(event.answer, perf_counter() - began)
            yield event
    except (ModelError, MissingExtraError):
        metrics.failed_answer(generator)
        raise
    finally:
        close_iterator(events)


class _Asked:
    """One request for an answer. began: time of its start, from `perf_counter`."""

    def __init__(
        self, request: Request, parsed: AnswerBody, deadline: Deadline, began: float
    ) -> None:
        self._request = request
        self._parsed = parsed
        self._deadline = deadline
        self._began = began

    def whole(self, served: Served) -> Response:
        """Write the whole answer and return the reply, in a thread."""
        for event in self._events(served):
            if isinstance(event, DoneEvent):
                headers = {"Server-Timing": server_timing(event.answer.timings)}
                return render.json_response(self._reply(event.answer), headers=headers)
        raise AssertionError("the last event is DoneEvent")

    def stream(self, served: Served, channel: Channel) -> None:
        """Write the answer and put its events into a channel, in a thread."""
        events = self._events(served)
        try:
            for event in events:
                value = (
                    self._reply(event.answer)
                    if isinstance(event, DoneEvent)
                    else render.answer_event(event)
                )
                channel.put(encoded(event.event, orjson.dumps(value)))
        except Exception as error:
            if channel.begun and not isinstance(error, Problem):
                # Otherwise the service would begin again after a StorageError.
                raise problem_of(error, self._service.root) from error
            raise
        finally:
            close_iterator(events)

    @property
    def _service(self) -> Service:
        service: Service = self._request.app.state.service
        return service

    def _events(self, served: Served) -> Iterator[AnswerEvent]:
        return answer_events(self._request, self._parsed, self._deadline, served)

    def _reply(self, answer: Answer) -> dict[str, Any]:
        return {
            "request_id": self._request.state.request_id,
            "took_ms": round((perf_counter() - self._began) * 1e3, 3),
            **render.answer(answer),
        }


def _wants_stream(request: Request, parsed: AnswerBody) -> bool:
    """Return True if the reply is a stream. The field `stream` overrides the header `Accept`."""
    if "stream" in parsed.model_fields_set:
        return parsed.stream
    accepted = request.headers.get("accept", "").split(",")
    return any(one.partition(";")[0].strip().lower() == MEDIA_TYPE for one in accepted)
