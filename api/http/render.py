"""Values as the JSON of replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from ...core import Document, Hit, LegScore, TopTerms, Usage
from ...index.store.jobs import Job
from ...search import RerankReport, SearchRequest, SearchResult


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A reply in JSON."""
    return Response(
        orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY),
        status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def usage(value: Usage | None) -> dict[str, Any]:
    """`{"usage": ...}`, what language models did; empty where there is none."""
    return {} if value is None else {"usage": counts(value)}


def counts(value: Usage) -> dict[str, Any]:
    return {**asdict(value), "seconds": round(value.seconds, 6)}


def document(value: Document) -> dict[str, Any]:
    return {
        "id": value.id,
        "title": value.title,
        "text": value.text,
        "metadata": value.metadata,
    }


def search_result(
    request: SearchRequest, result: SearchResult, encoders: Mapping[str, str]
) -> dict[str, Any]:
    """One result, without what belongs to the whole reply."""
    return {
        "timings": {stage: round(ms, 3) for stage, ms in result.timings.items()},
        "index": {"version": result.generation, "encoder": encoders},
        "total": {"value": result.total, "relation": result.relation},
        "hits": [_hit(hit, request.include, request.explain) for hit in result.hits],
        "warnings": list(result.warnings),
        **usage(result.usage),
        **({"query_terms": _terms(result.query_terms)} if request.explain else {}),
        **({} if result.rerank is None else {"rerank": _rerank_report(result.rerank)}),
    }


def _hit(hit: Hit, include: Sequence[str], explain: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": hit.id,
        "score": hit.score,
        "legs": {name: _leg(leg) for name, leg in hit.legs.items()},
        "passage": None
        if hit.passage is None
        else {"start": hit.passage.start, "end": hit.passage.end},
    }
    if hit.rerank is not None:
        shown["rerank"] = {
            "rank": hit.rerank.rank,
            "previous": hit.rerank.previous,
            "score": hit.rerank.score,
            "judged": hit.rerank.judged,
            "reasons": hit.rerank.reasons,
        }
    if hit.document is not None:
        for part in include:
            shown[part] = getattr(hit.document, part)
    if explain:
        shown["explain"] = {
            leg: [
                {
                    "term": item.term,
                    "score": item.score,
                    "query": item.query,
                    "document": item.document,
                }
                for item in terms
            ]
            for leg, terms in (hit.explain or {}).items()
        }
        shown["terms"] = _terms(hit.terms)
    return shown


def _leg(leg: LegScore) -> dict[str, Any]:
    place = {"rank": leg.rank, "score": leg.score}
    if leg.contribution is None:
        return place
    return {
        **place,
        "scaled": leg.scaled,
        "weight": leg.weight,
        "contribution": leg.contribution,
    }


def _rerank_report(report: RerankReport) -> dict[str, Any]:
    return {
        "model": report.model,
        "status": report.status,
        "candidates": report.candidates,
        "judged": report.judged,
        "usage": counts(report.usage),
        "seconds": round(report.seconds, 6),
        "truncated": report.truncated,
        "warnings": list(report.warnings),
        "stages": [
            {
                "name": stage.name,
                "status": stage.status,
                "candidates": stage.candidates,
                "judged": stage.judged,
                "usage": counts(stage.usage),
                "seconds": round(stage.seconds, 6),
            }
            for stage in report.stages
        ],
    }


def _terms(legs: Mapping[str, TopTerms] | None) -> dict[str, Any]:
    return {leg: asdict(terms) for leg, terms in (legs or {}).items()}


def job(collection: str, value: Job) -> dict[str, Any]:
    return {
        "id": value.id,
        "collection": collection,
        "kind": value.kind,
        "state": value.state,
        "progress": {"done": value.done, "total": value.total, "unit": value.unit},
        "error": value.error,
        "result": value.result,
        "created": _time(value.created),
        "updated": _time(value.updated),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
