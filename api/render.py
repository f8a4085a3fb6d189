"""Values as the JSON of replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.responses import Response

from ..core import (
    CollectionConfig,
    DenseEncoderConfig,
    Document,
    Hit,
    LexicalLeg,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    TopTerms,
    Usage,
)
from ..index.jobs import Job
from ..search import SearchRequest, SearchResult


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A reply in JSON."""
    return Response(
        orjson.dumps(value), status, headers=dict(headers or {}), media_type="application/json"
    )


def encoder_names(config: CollectionConfig) -> dict[str, str]:
    """Leg -> name of the model, or the language, that answers."""
    return {
        name: leg.encoder.language if isinstance(leg, LexicalLeg) else _model(leg.encoder)
        for name, leg in config.legs.items()
    }


def _model(
    config: DenseEncoderConfig | SparseEncoderConfig | PromptRepsEncoderConfig,
) -> str:
    prefix = "promptreps:" if isinstance(config, PromptRepsEncoderConfig) else ""
    return prefix + config.model


def usage(value: Usage | None) -> dict[str, Any]:
    """`{"usage": ...}`, what language models did; empty where there is none."""
    if value is None:
        return {}
    return {"usage": {**asdict(value), "seconds": round(value.seconds, 6)}}


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
    }


def _hit(hit: Hit, include: Sequence[str], explain: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": hit.id,
        "score": hit.score,
        "legs": {name: {"rank": leg.rank, "score": leg.score} for name, leg in hit.legs.items()},
        "passage": None
        if hit.passage is None
        else {"start": hit.passage.start, "end": hit.passage.end},
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
