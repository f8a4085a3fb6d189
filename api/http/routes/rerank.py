"""Rerank documents that the request contains. The fields are compatible with Cohere and Jina."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core import InvalidInputError
from ....rerank import Reranked
from ....rerank.relevance import relevance, scores
from ....search.finding.reranking import rerank_warnings
from ...serving.calls import Calls
from ...serving.problems import unknown_model, validate
from .. import body
from ..admission import search_deadline
from ..compat import tei
from ..openapi import json_body, problems
from ..render import counts, json_response
from ..shapes.failures import CohereProblem, TeiProblem
from ..shapes.reranking import RerankBody, RerankReply, TeiRanks
from ..strict import StrictRoute

router = APIRouter(route_class=StrictRoute)

CONFIGURED = {
    "relevant_spans": "the choice of the passages to read",
    "max_chunks_per_doc": "the input limit for a document",
    "max_doc_length": "the input limit for a document",
    "max_query_length": "the input limit for a query",
    "max_tokens_per_doc": "the input limit for a document",
    "rank_fields": "the choice of the fields to read, title and text,",
    "truncation": "the input limit for a document",
}
"""Field of other services' requests -> what the field sets, for an error message.

Here, the configuration of a reranker sets these values.
"""

_EXAMPLE = {
    "model": "fast",
    "query": "birds that cannot fly",
    "documents": ["Swifts fly while they sleep.", "The kiwi is a bird that cannot fly."],
    "top_n": 1,
    "return_documents": True,
}


_FAILURES = (400, 401, 403, 404, 413, 415, 422, 429, 503, 504)


@router.post(
    "/rerank",
    name="rerank_texts",
    tags=["compatible"],
    description="Rerank texts as text-embeddings-inference does: a request with `texts` gets a "
    "list of `index` and `score`. A request with `documents` is answered as by `/v1/rerank`.",
    responses={200: {"model": RerankReply | TeiRanks}, **problems(*_FAILURES, shape=TeiProblem)},
    openapi_extra=json_body(tei.TeiRerankBody, tei.RERANK_EXAMPLE, RerankBody),
)
@router.post(
    "/v2/rerank",
    name="rerank_documents",
    tags=["compatible"],
    description="Rerank documents that the request contains, for clients of Cohere. The fields and "
    "the reply are those of `/v1/rerank`.",
    responses={200: {"model": RerankReply}, **problems(*_FAILURES, shape=CohereProblem)},
    openapi_extra=json_body(RerankBody, _EXAMPLE),
)
@router.post(
    "/v1/rerank",
    tags=["search"],
    responses={200: {"model": RerankReply}, **problems(400, 404, 413, 415, 422, 429, 503, 504)},
    openapi_extra=json_body(RerankBody, _EXAMPLE),
)
async def rerank(request: Request) -> Response:
    """Rerank documents that the request contains; they need not be stored in a collection."""
    raw = await body.read(request)
    began, deadline = perf_counter(), search_deadline(request)
    calls: Calls = request.state.calls

    as_tei: list[tei.TeiRerankBody] = []

    def read() -> RerankBody:
        given = body.parse_object(raw)
        if request.scope["route"].path == "/rerank" and tei.is_tei(given):
            wanted, asked = tei.rerank_body(calls.service, given)
            as_tei.append(asked)
            return wanted
        parsed = _parse(given)
        _check_model(calls, parsed.model)
        return parsed

    def reply(parsed: RerankBody, result: Reranked) -> Response:
        if as_tei:
            return json_response(tei.rerank_reply(as_tei[0], result, relevance(result.order)))
        found = {
            "id": request.state.request_id,
            "request_id": request.state.request_id,
            "took_ms": round((perf_counter() - began) * 1e3, 3),
            **_reply(parsed, result),
        }
        return json_response(found)

    return await calls.rerank(read, deadline, reply)


def _check_model(calls: Calls, model: str) -> None:
    """Raise Problem 404 for an unknown reranker, as for other models that a request is for."""
    try:
        calls.service.rerankers.config(model)
    except InvalidInputError as error:
        raise unknown_model(error.message) from None


def _parse(given: dict[str, Any]) -> RerankBody:
    for field, what in CONFIGURED.items():
        if given.get(field) is not None:
            raise InvalidInputError(
                f"{what} is part of the reranker's configuration; remove this field", field=field
            )
    return validate(RerankBody, {k: v for k, v in given.items() if k not in CONFIGURED})


def _reply(request: RerankBody, result: Reranked) -> dict[str, Any]:
    usage, warnings = result.usage, rerank_warnings(result)
    if any(placed.judged for placed in result.order) and not scores(result.order):
        warnings.append("the reranker returns no scores: relevance_score is 1 / rank")
    results = [
        {
            "index": placed.index,
            "relevance_score": score,
            "judged": placed.judged,
            "reasons": placed.reasons,
            **(_document(request, placed.index) if request.return_documents else {}),
        }
        for placed, score in zip(result.order, relevance(result.order), strict=True)
    ]
    return {
        "object": "list",
        "model": request.model,
        "status": result.status,
        "results": results[: request.top_n],
        "usage": {**counts(usage), "total_tokens": usage.prompt_tokens + usage.completion_tokens},
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": -(-len(request.documents) // 100)},
            "tokens": {
                "input_tokens": usage.prompt_tokens,
                "output_tokens": usage.completion_tokens,
            },
        },
        "truncated": result.truncated,
        "warnings": warnings,
    }


def _document(request: RerankBody, index: int) -> dict[str, Any]:
    document = request.documents[index]
    title = {"title": document.title} if document.title else {}
    return {"document": {"text": document.text, **title}}
