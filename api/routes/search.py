"""Search, and several searches at once."""

from __future__ import annotations

from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ...search import SearchRequest, SearchResult
from .. import body
from ..openapi import COLLECTION, json_body, problems
from ..problems import validate
from ..render import json_response, search_result
from ..schemas import BatchReply, BatchRequest, SearchReply
from ..served import Served
from ..service import Service
from ..strict import StrictRoute

router = APIRouter(tags=["search"], route_class=StrictRoute)

_EXAMPLE = {
    "query": "birds that cannot fly",
    "fusion": {"method": "minmax"},
    "limit": 10,
    "explain": False,
}


@router.post(
    "/v1/collections/{collection}/search",
    responses={200: {"model": SearchReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra={
        **json_body(SearchRequest, _EXAMPLE),
        "parameters": [COLLECTION],
    },
)
async def search(request: Request) -> Response:
    """Search one collection.

    Pages are cut from a list fused once to a fixed depth: `offset` + `limit` is at most 1,000.
    """
    # The path parameter is declared by hand: the framework takes longer to pass it than to route.
    raw = await body.read(request)

    # All of it in one call, so that the event loop has nothing to do but wait for bytes.
    def answer(served: Served) -> Response:
        began = perf_counter()
        asked = validate(SearchRequest, body.parse_object(raw))
        result = served.ready()[0].search(asked)
        request.app.state.metrics.search(result.timings)
        reply = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            **search_result(asked, result, served.encoders),
        }
        return json_response(reply, headers={"Server-Timing": _server_timing(result)})

    service: Service = request.app.state.service
    return await service.read(request.path_params["collection"], answer)


@router.post(
    "/v1/collections/{collection}/search/batch",
    responses={200: {"model": BatchReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503)},
    openapi_extra=json_body(BatchRequest, {"requests": [_EXAMPLE]}),
)
async def search_batch(request: Request, collection: str) -> Response:
    """Up to 100 searches of the same state. One that is invalid fails them all, by name."""
    raw = await body.read(request)

    def answer(served: Served) -> Response:
        began = perf_counter()
        batch = validate(BatchRequest, body.parse_object(raw))
        results = served.ready()[0].search_batch(batch.requests)
        for result in results:
            request.app.state.metrics.search(result.timings)
        reply = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            "results": [
                search_result(asked, result, served.encoders)
                for asked, result in zip(batch.requests, results, strict=True)
            ],
        }
        return json_response(reply)

    service: Service = request.app.state.service
    return await service.read(collection, answer)


def _milliseconds(began: float) -> float:
    return round((perf_counter() - began) * 1e3, 3)


def _server_timing(result: SearchResult) -> str:
    return ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in result.timings.items())
