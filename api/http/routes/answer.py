"""Answer a question from the documents of a collection, with citations."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core.answers import Answer, AnswerEvent, DoneEvent
from ....core.sse import MEDIA_TYPE, encoded
from ...serving.calls import Calls
from ...serving.problems import validate
from ...serving.served import Served
from .. import body, render
from ..admission import answer_deadline
from ..events import event_stream
from ..openapi import COLLECTION, events, json_body, problems
from ..shapes.answers import AnswerBody, AnswerReply
from ..strict import StrictRoute
from .search import server_timing

router = APIRouter(tags=["search"], route_class=StrictRoute)

_EXAMPLE = {"question": "Which bird cannot fly?", "search": {"limit": 5}, "stream": False}

_EVENTS = events(
    "Server-sent events: `sources`, `token`, `citation`, `usage`, and last `done`, "
    "whose data is the reply without `stream`, or `error`, whose data is problem details."
)


@router.post(
    "/v1/collections/{collection}/answer",
    responses={
        200: {"model": AnswerReply, "content": _EVENTS},
        **problems(400, 404, 409, 410, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra={**json_body(AnswerBody, _EXAMPLE), "parameters": [COLLECTION]},
)
async def answer(request: Request) -> Response:
    """Answer a question from the documents of one collection, with citations.

    With `stream`, or with the header `Accept: text/event-stream`, the reply is a stream of
    server-sent events while the answer is written.
    """
    raw = await body.read(request)
    began, deadline = perf_counter(), answer_deadline(request)
    calls: Calls = request.state.calls
    collection = request.path_params["collection"]

    def parse(_: Served) -> AnswerBody:
        return validate(AnswerBody, body.parse_object(raw))

    def reply(whole: Answer) -> dict[str, Any]:
        return {
            "request_id": request.state.request_id,
            "took_ms": round((perf_counter() - began) * 1e3, 3),
            **render.answer(whole),
        }

    parsed = await calls.read(collection, parse, deadline)
    if _wants_stream(request, parsed):

        def encode(event: AnswerEvent) -> bytes:
            if isinstance(event, DoneEvent):
                return encoded(event.event, orjson.dumps(reply(event.answer)))
            return encoded(event.event, orjson.dumps(render.answer_event(event)))

        return await event_stream(
            request,
            deadline,
            lambda channel: calls.stream_answer(
                collection, parsed, deadline, lambda event: channel.put(encode(event))
            ),
        )

    def respond(whole: Answer) -> Response:
        headers = {"Server-Timing": server_timing(whole.timings)}
        return render.json_response(reply(whole), headers=headers)

    return await calls.answer(collection, parsed, deadline, respond)


def _wants_stream(request: Request, parsed: AnswerBody) -> bool:
    """Return True if the reply is a stream. The field `stream` overrides the header `Accept`."""
    if "stream" in parsed.model_fields_set:
        return parsed.stream
    accepted = request.headers.get("accept", "").split(",")
    return any(one.partition(";")[0].strip().lower() == MEDIA_TYPE for one in accepted)
