"""Complete a text while a user types."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....search import CompleteRequest
from ...serving.calls import Calls
from ...serving.problems import validate
from ...serving.served import Served
from .. import body
from ..admission import search_deadline
from ..openapi import json_body, problems
from ..render import json_response
from ..shapes.completions import CompleteReply
from ..strict import StrictRoute

router = APIRouter(tags=["search"], route_class=StrictRoute)


@router.post(
    "/v1/collections/{collection}/complete",
    responses={
        200: {"model": CompleteReply},
        **problems(400, 404, 409, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra=json_body(CompleteRequest, {"text": "new yo", "limit": 5}),
)
async def complete(request: Request, collection: str) -> Response:
    """Complete the last word of a text, and titles, from the documents of one collection.

    Only documents that the key may see, and that meet the filter, count.
    """
    raw = await body.read(request)
    began, deadline = perf_counter(), search_deadline(request)

    def work(served: Served) -> Response:
        asked = validate(CompleteRequest, body.parse_object(raw))
        found = served.ready()[0].complete(asked, guard=deadline.guard)
        reply = {
            "request_id": request.state.request_id,
            "took_ms": round((perf_counter() - began) * 1e3, 3),
            "words": [asdict(one) for one in found.words],
            "titles": [asdict(one) for one in found.titles],
        }
        return json_response(reply)

    calls: Calls = request.state.calls
    return await calls.read(collection, work, deadline)
