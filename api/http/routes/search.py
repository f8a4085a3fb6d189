"""Search a collection: one search, a batch of searches, or a completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from time import perf_counter

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....search import CompleteRequest, SearchRequest, SearchResult
from ...serving.calls import Calls
from ...serving.problems import validate
from ...serving.served import Served
from .. import body
from ..admission import search_deadline
from ..openapi import COLLECTION, json_body, problems
from ..render import json_response, search_result
from ..shapes.completions import CompleteReply
from ..shapes.schemas import BatchReply, BatchRequest, SearchReply
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
    responses={
        200: {"model": SearchReply},
        **problems(400, 404, 409, 410, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra={
        **json_body(SearchRequest, _EXAMPLE),
        "parameters": [COLLECTION],
    },
)
async def search(request: Request) -> Response:
    """Search one collection.

    `offset` + `limit` must not exceed 1,000. Neither changes the ranking, so pages are consistent.
    """
    # The path parameter is declared in `openapi_extra`: as an argument, it would cost more time
    # than the routing.
    raw = await body.read(request)

    began, deadline = perf_counter(), search_deadline(request)

    def read(_: Served) -> SearchRequest:
        return validate(SearchRequest, body.parse_object(raw))

    def reply(served: Served, parsed: SearchRequest, result: SearchResult) -> Response:
        found = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            **search_result(parsed, result, served.encoders),
        }
        return json_response(found, headers={"Server-Timing": server_timing(result.timings)})

    calls: Calls = request.state.calls
    return await calls.search(request.path_params["collection"], read, deadline, reply)


@router.post(
    "/v1/collections/{collection}/search/batch",
    responses={
        200: {"model": BatchReply},
        **problems(400, 404, 409, 410, 413, 415, 422, 429, 503, 504),
    },
    openapi_extra=json_body(BatchRequest, {"requests": [_EXAMPLE]}),
)
async def search_batch(request: Request, collection: str) -> Response:
    """Run up to 100 searches of one collection. All of them see the same state of the collection.

    If one search is invalid, the whole request fails, and the error names the invalid field.
    """
    raw = await body.read(request)

    began, deadline = perf_counter(), search_deadline(request)

    def read(_: Served) -> Sequence[SearchRequest]:
        return validate(BatchRequest, body.parse_object(raw)).requests

    def reply(
        served: Served, requests: Sequence[SearchRequest], results: Sequence[SearchResult]
    ) -> Response:
        found = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            "results": [
                search_result(one, result, served.encoders)
                for one, result in zip(requests, results, strict=True)
            ],
        }
        return json_response(found)

    calls: Calls = request.state.calls
    return await calls.search_batch(collection, read, deadline, reply)


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
            "took_ms": _milliseconds(began),
            "words": [asdict(one) for one in found.words],
            "titles": [asdict(one) for one in found.titles],
        }
        return json_response(reply)

    calls: Calls = request.state.calls
    return await calls.read(collection, work, deadline)


def _milliseconds(began: float) -> float:
    return round((perf_counter() - began) * 1e3, 3)


def server_timing(timings: Mapping[str, float]) -> str:
    """Return the value of the header `Server-Timing`. timings: stage -> milliseconds."""
    return ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in timings.items())
