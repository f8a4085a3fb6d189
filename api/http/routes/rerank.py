"""Documents of a request in a better order, with the fields of Cohere's and Jina's interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from ....core import InvalidInputError, MissingExtraError, ModelError
from ....rerank import Candidate, Placed, Reranked, Reranker, failed, rerank_one
from ....search.finding.reranking import rerank_warnings
from ...serving.problems import validate
from ...serving.service import Service
from ...serving.work import check_query
from .. import body
from ..admission import Deadline
from ..openapi import json_body, problems
from ..render import counts, json_response
from ..shapes.reranking import RerankBody, RerankReply
from ..strict import StrictRoute

router = APIRouter(tags=["search"], route_class=StrictRoute)

_CONFIGURED = {
    "max_chunks_per_doc": "how much is read of a document",
    "max_doc_length": "how much is read of a document",
    "max_query_length": "how much is read of a query",
    "max_tokens_per_doc": "how much is read of a document",
    "rank_fields": "what is read of a document, its title and text,",
    "truncation": "how much is read of a document",
}
"""Fields of other services that would change the reranker itself."""

_EXAMPLE = {
    "model": "fast",
    "query": "birds that cannot fly",
    "documents": ["Swifts fly while they sleep.", "The kiwi is a bird that cannot fly."],
    "top_n": 1,
    "return_documents": True,
}


@router.post("/rerank", include_in_schema=False)
@router.post("/v2/rerank", include_in_schema=False)
@router.post(
    "/v1/rerank",
    responses={200: {"model": RerankReply}, **problems(400, 413, 415, 422, 429, 503, 504)},
    openapi_extra=json_body(RerankBody, _EXAMPLE),
)
async def rerank(request: Request) -> Response:
    """Rerank documents that need not be stored. Also at /rerank and /v2/rerank."""
    raw = await body.read(request)
    service: Service = request.app.state.service
    deadline = Deadline.of(request)

    def answer() -> Response:
        began = perf_counter()
        asked = _parse(body.parse_object(raw))
        check_query(request.app.state.settings, asked.query)
        candidates = [
            Candidate(str(i), document.text, document.title, score=-float(i))
            for i, document in enumerate(asked.documents)
        ]
        try:
            reranker = _reranker(service, asked.model)
        except (ModelError, MissingExtraError) as error:
            result = failed(len(candidates), error)
        else:
            result = rerank_one(reranker, asked.query, candidates, asked.budget, deadline.guard)
        request.app.state.metrics.rerank(asked.model, result.status, result.seconds, result.usage)
        if result.status == "failed" and asked.on_error == "fail":
            raise result.error or ModelError("the reranker failed")
        reply = {
            "id": request.state.request_id,
            "request_id": request.state.request_id,
            "took_ms": round((perf_counter() - began) * 1e3, 3),
            **_reply(asked, result),
        }
        return json_response(reply)

    return await deadline.wait(request, service.reranking.run(answer))


def _parse(given: dict[str, Any]) -> RerankBody:
    for field, what in _CONFIGURED.items():
        if given.get(field) is not None:
            raise InvalidInputError(
                f"{what} is part of its configuration here; leave it out", field=field
            )
    return validate(RerankBody, {k: v for k, v in given.items() if k not in _CONFIGURED})


def _reply(asked: RerankBody, result: Reranked) -> dict[str, Any]:
    usage, warnings = result.usage, rerank_warnings(result)
    if any(placed.judged for placed in result.order) and not _scores(result.order):
        warnings.append("the reranker gives no scores: relevance_score is 1 / place")
    relevance = _relevance(result.order)
    results = [
        {
            "index": placed.index,
            "relevance_score": score,
            "judged": placed.judged,
            "reasons": placed.reasons,
            **(_document(asked, placed.index) if asked.return_documents else {}),
        }
        for placed, score in zip(result.order, relevance, strict=True)
    ]
    return {
        "object": "list",
        "model": asked.model,
        "status": result.status,
        "results": results[: asked.top_n],
        "usage": {**counts(usage), "total_tokens": usage.prompt_tokens + usage.completion_tokens},
        "meta": {
            "api_version": {"version": "2"},
            "billed_units": {"search_units": -(-len(asked.documents) // 100)},
            "tokens": {
                "input_tokens": usage.prompt_tokens,
                "output_tokens": usage.completion_tokens,
            },
        },
        "truncated": result.truncated,
        "warnings": warnings,
    }


def _relevance(order: Sequence[Placed]) -> list[float]:
    """A number for each result, never ascending, because clients sort by it and know no null.

    The reranker's score; where it gives none at all, 1 / place for what it judged. What has none
    otherwise gets 0, or the lowest score if that is below 0.
    """
    known = _scores(order)
    floor = min([0.0, *known])
    found: list[float] = []
    for place, placed in enumerate(order, 1):
        score = placed.score
        if score is None:
            score = 1 / place if placed.judged and not known else floor
        found.append(min(float(score), found[-1]) if found else float(score))
    return found


def _scores(order: Sequence[Placed]) -> list[float]:
    return [float(placed.score) for placed in order if placed.score is not None]


def _document(asked: RerankBody, index: int) -> dict[str, Any]:
    document = asked.documents[index]
    title = {"title": document.title} if document.title else {}
    return {"document": {"text": document.text, **title}}


def _reranker(service: Service, name: str) -> Reranker:
    """Raises InvalidInputError for one that reads what only a collection has."""
    try:
        reranker = service.rerankers.get(name)
    except InvalidInputError as error:
        raise InvalidInputError(error.message, field="model") from None
    vectors = reranker.needs.vectors
    needs = sorted(reranker.needs.legs | ({vectors} if vectors else set()))
    if needs:
        raise InvalidInputError(
            f"{name!r} reads what leg {', '.join(map(repr, needs))} of a collection has stored: "
            "name it in `rerank` of a search",
            field="model",
        )
    return reranker
