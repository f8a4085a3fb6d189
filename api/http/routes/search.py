"""Search a collection: one search, or a batch of searches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....search import SearchRequest, SearchResult
from ...serving.problems import validate
from ...serving.served import Served
from ...serving.service import Service
from ...serving.work import check_work
from .. import body
from ..admission import Deadline
from ..openapi import COLLECTION, json_body, problems
from ..render import json_response, search_result
from ..shapes.schemas import BatchReply, BatchRequest, SearchReply
from ..strict import StrictRoute

T = TypeVar("T")

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
        **problems(400, 404, 409, 413, 415, 422, 429, 503, 504),
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

    began, deadline = perf_counter(), Deadline.of(request)

    # One call in a thread does the whole search, so that the event loop only waits for bytes.
    # A search with reranking or rewriting continues in another thread pool.
    def begin(served: Served) -> Response | SearchRequest:
        parsed = validate(SearchRequest, body.parse_object(raw))
        check_work(request.app.state.settings, [parsed])
        return parsed if is_slow(parsed) else answer(served, parsed)

    def answer(served: Served, parsed: SearchRequest) -> Response:
        result = served.ready()[0].search(parsed, guard=deadline.guard)
        observe(request, result)
        reply = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            **search_result(parsed, result, served.encoders),
        }
        return json_response(reply, headers={"Server-Timing": server_timing(result.timings)})

    collection = request.path_params["collection"]
    return await deadline.wait(request, _run_search(request, collection, begin, answer))


@router.post(
    "/v1/collections/{collection}/search/batch",
    responses={200: {"model": BatchReply}, **problems(400, 404, 409, 413, 415, 422, 429, 503, 504)},
    openapi_extra=json_body(BatchRequest, {"requests": [_EXAMPLE]}),
)
async def search_batch(request: Request, collection: str) -> Response:
    """Run up to 100 searches of one collection. All of them see the same state of the collection.

    If one search is invalid, the whole request fails, and the error names the invalid field.
    """
    raw = await body.read(request)

    began, deadline = perf_counter(), Deadline.of(request)

    def begin(served: Served) -> Response | BatchRequest:
        batch = validate(BatchRequest, body.parse_object(raw))
        check_work(request.app.state.settings, batch.requests, batch=True)
        return batch if any(map(is_slow, batch.requests)) else answer(served, batch)

    def answer(served: Served, batch: BatchRequest) -> Response:
        results = served.ready()[0].search_batch(batch.requests, guard=deadline.guard)
        for result in results:
            observe(request, result)
        reply = {
            "request_id": request.state.request_id,
            "took_ms": _milliseconds(began),
            "results": [
                search_result(one, result, served.encoders)
                for one, result in zip(batch.requests, results, strict=True)
            ],
        }
        return json_response(reply)

    return await deadline.wait(request, _run_search(request, collection, begin, answer))


async def _run_search(
    request: Request,
    collection: str,
    begin: Callable[[Served], Response | T],
    answer: Callable[[Served, T], Response],
) -> Response:
    """Return the reply to a search, or to a batch of searches.

    `begin` runs in a thread for searches. It returns the reply or, for a search with reranking or
    rewriting, the parsed request. `answer` then makes the reply in a thread for reranking.
    """
    service: Service = request.app.state.service
    begun = await service.read(collection, begin)
    if isinstance(begun, Response):
        return begun
    return await service.rerank(collection, lambda served: answer(served, begun))


def is_slow(parsed: SearchRequest) -> bool:
    """Return True for a search that may take seconds, because a model reranks or rewrites."""
    return parsed.rerank is not None or parsed.rewrite is not None


def observe(request: Request, result: SearchResult) -> None:
    """Record the metrics of one search."""
    metrics = request.app.state.metrics
    metrics.search(result.timings)
    if (done := result.rerank) is not None:
        metrics.rerank(done.model, done.status, done.seconds, done.usage)


def _milliseconds(began: float) -> float:
    return round((perf_counter() - began) * 1e3, 3)


def server_timing(timings: Mapping[str, float]) -> str:
    """Return the value of the header `Server-Timing`. timings: stage -> milliseconds."""
    return ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in timings.items())
