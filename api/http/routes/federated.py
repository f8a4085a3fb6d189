"""Search several collections in one request."""

from __future__ import annotations

from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....search import FederatedRequest
from ...serving.calls import Calls
from ...serving.problems import validate
from .. import body
from ..admission import search_deadline
from ..openapi import json_body, problems
from ..render import federated_result, json_response
from ..shapes.federated import FederatedReply
from ..strict import StrictRoute

router = APIRouter(tags=["search"], route_class=StrictRoute)

_EXAMPLE = {
    "collections": ["birds", {"name": "fish", "weight": 0.5}],
    "query": "animals that cannot fly",
    "limit": 10,
}


@router.post(
    "/v1/search",
    responses={
        200: {"model": FederatedReply},
        **problems(400, 404, 409, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra=json_body(FederatedRequest, _EXAMPLE),
)
async def federated_search(request: Request) -> Response:
    """Search several collections and merge their hits into one list.

    A collection that the key does not see does not exist for the request.
    """
    raw = await body.read(request)
    began, deadline = perf_counter(), search_deadline(request)
    calls: Calls = request.state.calls
    wanted = await calls.parse(lambda: validate(FederatedRequest, body.parse_object(raw)), deadline)
    found, encoders = await calls.federated_search(wanted, deadline)
    reply = {
        "request_id": request.state.request_id,
        "took_ms": round((perf_counter() - began) * 1e3, 3),
        **federated_result(wanted, found, encoders),
    }
    return json_response(reply)
