"""Convert results into the JSON of replies. The serialiser converts dataclasses to objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from ...core import Document, Hit, LegScore, QueryStage, RerankStage, Usage
from ...core.answers import Answer, Citation, CitationEvent, SourcesEvent, TextEvent, UsageEvent
from ...core.results import Facet, FederatedResult
from ...core.types import Highlight
from ...index.store.jobs import Job
from ...search import FederatedRequest, RerankReport, SearchRequest, SearchResult


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an HTTP reply whose body is `value` as JSON."""
    return Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY),
        status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def usage(value: Usage | None) -> dict[str, Any]:
    """Return `{"usage": ...}` with the counts of a Usage; an empty object for None."""
    return {} if value is None else {"usage": counts(value)}


def counts(value: Usage) -> dict[str, Any]:
    """Return a Usage as a JSON object, with seconds rounded to microseconds."""
    return {**asdict(value), "seconds": round(value.seconds, 6)}


def document(value: Document) -> dict[str, Any]:
    """Return a document as a JSON object."""
    return {
        "id": value.id,
        "title": value.title,
        "text": value.text,
        "metadata": value.metadata,
    }


def search_result(
    request: SearchRequest, result: SearchResult, encoders: Mapping[str, str]
) -> dict[str, Any]:
    """Return the result of one search as a JSON object, without `request_id` and `took_ms`.

    encoders: leg -> name of its encoder.
    """
    return {
        "timings": {stage: round(ms, 3) for stage, ms in result.timings.items()},
        "index": {"version": result.generation, "encoder": encoders},
        "total": {"value": result.total, "relation": result.relation},
        "hits": [_hit(hit, request) for hit in result.hits],
        "warnings": list(result.warnings),
        **usage(result.usage),
        **(
            {
                "query_terms": result.query_terms or {},
                "query_languages": result.query_languages or {},
            }
            if request.explain
            else {}
        ),
        **({} if result.rerank is None else {"rerank": _reranked(result.rerank)}),
        **({"stages": [_stage(stage) for stage in result.stages]} if result.stages else {}),
        **{
            name: value
            for name in ("predictors", "suggestion", "query", "filter", "groups", "group_total")
            if (value := getattr(result, name)) is not None
        },
        **({"facets": [_facet(one) for one in result.facets]} if request.facets else {}),
    }


def federated_result(
    request: FederatedRequest,
    result: FederatedResult,
    encoders: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """Return the result of a search over several collections as a JSON object.

    encoders: collection -> leg -> name of its encoder.
    """
    collections = [
        {
            "name": one.name,
            "index": {"version": one.generation, "encoder": encoders[one.name]},
            "total": {"value": one.total, "relation": one.relation},
            "took_ms": one.milliseconds,
        }
        if one.error is None
        else {"name": one.name, "error": one.error}
        for one in result.collections
    ]
    return {
        "collections": collections,
        "total": {"value": result.total, "relation": result.relation},
        "hits": [
            {
                "collection": one.collection,
                "rank": one.rank,
                "merged_score": one.score,
                **_hit(one.hit, request),
            }
            for one in result.hits
        ],
        "warnings": list(result.warnings),
        **({"facets": [_facet(one) for one in result.facets]} if request.facets else {}),
    }


def _facet(facet: Facet) -> dict[str, Any]:
    """Return a facet as a JSON object. A count has a value or a range."""
    counts = []
    for one in facet.counts:
        place = {"value": one.value}
        if one.value is None:
            place = {k: v for k, v in (("gte", one.gte), ("lt", one.lt)) if v is not None}
        counts.append({**place, "count": one.count})
    return {
        "field": facet.field,
        "counts": counts,
        "distinct": facet.distinct,
        "missing": facet.missing,
        "minimum": facet.minimum,
        "maximum": facet.maximum,
    }


def _stage(stage: QueryStage) -> dict[str, Any]:
    """Return a stage as a JSON object. `usage` is absent if the stage used no language model."""
    return {
        "name": stage.name,
        "status": stage.status,
        "queries": stage.queries,
        "terms": stage.terms,
        "documents": stage.documents,
        "milliseconds": round(stage.milliseconds, 3),
        "reason": stage.reason,
        "notes": stage.notes,
        "searches": stage.searches,
        **usage(stage.usage),
    }


def _reranked(report: RerankReport) -> dict[str, Any]:
    return {**_work(report), "stages": [_work(stage) for stage in report.stages]}


def _hit(hit: Hit, request: SearchRequest) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": hit.id,
        "score": hit.score,
        "legs": {name: _leg(leg) for name, leg in hit.legs.items()},
        "passage": hit.passage,
        "headings": hit.headings,
        "page": hit.page,
    }
    if request.neighbours:
        shown["context"] = hit.context
    if hit.highlights is not None:
        shown["highlights"] = [_highlight(one) for one in hit.highlights]
    if hit.rerank is not None:
        shown["rerank"] = hit.rerank
    if hit.document is not None:
        for part in request.include:
            shown[part] = getattr(hit.document, part)
    if request.explain:
        shown["explain"] = hit.explain or {}
        shown["terms"] = hit.terms or {}
        if request.boosts:
            shown["boosts"] = hit.boosts
    return shown


def _highlight(one: Highlight) -> dict[str, Any]:
    shown = {
        "field": one.field,
        "start": one.start,
        "end": one.end,
        "text": one.text,
        "spans": [{"start": start, "end": end} for start, end in one.spans],
    }
    return shown if one.marked is None else {**shown, "marked": one.marked}


def _leg(leg: LegScore) -> object:
    return {"rank": leg.rank, "score": leg.score} if leg.contribution is None else leg


def _work(report: RerankReport | RerankStage) -> dict[str, Any]:
    """Return a report on a reranker or stage as a JSON object, with rounded seconds."""
    return {**asdict(report), "usage": counts(report.usage), "seconds": round(report.seconds, 6)}


def answer(value: Answer) -> dict[str, Any]:
    """Return an answer as a JSON object, without `request_id` and `took_ms`."""
    return {
        "outcome": value.outcome,
        "text": value.text,
        "citations": value.citations,
        "sources": value.sources,
        "left_out": value.left_out,
        "reason": value.reason,
        "confidence": value.confidence,
        "finish": value.finish,
        "query": value.query,
        "generator": value.generator,
        "invalid_citations": value.invalid_citations,
        "usage": counts(value.usage),
        "timings": {stage: round(ms, 3) for stage, ms in value.timings.items()},
        "warnings": value.warnings,
        "stages": [_stage(stage) for stage in value.stages],
        "suggestion": value.suggestion,
        "filter": value.filter,
        "predictors": value.predictors,
    }


def answer_event(
    event: SourcesEvent | TextEvent | CitationEvent | UsageEvent,
) -> dict[str, Any] | SourcesEvent | TextEvent | Citation:
    """Return the data of an event of an answer as a JSON value."""
    if isinstance(event, CitationEvent):
        return event.citation
    return counts(event.usage) if isinstance(event, UsageEvent) else event


def job(collection: str, value: Job) -> dict[str, Any]:
    """Return a job as a JSON object.

    collection: name of the job's collection. Empty: the result of the job names the collection.
    """
    return {
        "id": value.id,
        "collection": collection or value.result.get("collection", ""),
        "kind": value.kind,
        "state": value.state,
        "progress": {"done": value.done, "total": value.total, "unit": value.unit},
        "error": value.error,
        "result": value.result,
        "created": moment(value.created),
        "updated": moment(value.updated),
    }


def moment(seconds: float) -> str:
    """Return a time in ISO 8601. seconds: since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
