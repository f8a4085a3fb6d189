"""Converts the JSON of replies to value types.

Searches and writes use the types of a local collection. This module defines the types that only a
service has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..core.results import (
    Facet,
    FacetCount,
    Group,
    QueryStage,
    RerankReport,
    RerankStage,
    SearchResult,
    WriteReport,
)
from ..core.types import (
    BoostScore,
    Contribution,
    Document,
    Highlight,
    Hit,
    HitRerank,
    LegScore,
    Passage,
    TermWeight,
    TopTerms,
    Usage,
)


@dataclass(frozen=True, slots=True)
class CollectionState:
    """The state of a collection of the service.

    status:    "ready", or the reason why the collection cannot be searched: "loading", "building",
               "damaged", "unreadable" or "unavailable".
    documents: number of documents in the collection. None unless `status` is "ready".
    problem:   details of the reason. None if `status` is "ready".
    """

    name: str
    status: str
    documents: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Job:
    """A long operation of the service.

    kind: "bulk", "merge", "reconfigure", "snapshot", "restore" or "reembed".
    state: "queued", "running", "waiting" (a disk problem stopped the job; the service retries it),
        "done" or "failed".
    done, total: number of finished units, and number of all units. `total` is None while it is
        unknown.
    unit: name of a unit, such as "documents".
    error: reason of the state "failed", else None.
    created, updated: times in ISO 8601.
    """

    id: str
    collection: str
    kind: str
    state: str
    done: int
    total: int | None
    unit: str
    error: str | None
    result: Mapping[str, Any]
    created: str
    updated: str


@dataclass(frozen=True, slots=True)
class Reranked:
    """A document of a request to rerank, with its new score.

    index:   position of the document in the request, from 0.
    score:   score from the reranker.
    judged:  False if the budget ran out before the reranker scored or compared the document.
    reasons: explanation of the rank, as JSON.
    """

    index: int
    score: float
    judged: bool
    reasons: Mapping[str, Any] = field(default_factory=dict)


def document(value: Mapping[str, Any]) -> Document:
    return Document(value["id"], value["text"], value["title"], value["metadata"])


def job(value: Mapping[str, Any]) -> Job:
    rest = {key: one for key, one in value.items() if key != "progress"}
    return Job(**rest, **value["progress"])


def reranked(value: Mapping[str, Any]) -> Reranked:
    return Reranked(
        value["index"], value["relevance_score"], value["judged"], value.get("reasons", {})
    )


def write_report(value: Mapping[str, Any]) -> WriteReport:
    """Return the report that the reply to a bulk write contains."""
    return WriteReport(
        documents=value["written"],
        replaced=value["replaced"],
        passages=value["passages"],
        truncated=value["truncated"],
        usage=_usage(value.get("usage")),
        unchanged=value["unchanged"],
    )


def put_report(value: Mapping[str, Any]) -> WriteReport:
    """Return the report that the reply to the write of one document contains."""
    written = not value["unchanged"]
    return WriteReport(
        documents=int(written),
        replaced=int(written and not value["created"]),
        passages=value["passages"],
        truncated=value["truncated"],
        usage=_usage(value.get("usage")),
        unchanged=int(not written),
    )


def search_result(value: Mapping[str, Any]) -> SearchResult:
    terms, languages = value.get("query_terms"), value.get("query_languages")
    groups = value.get("groups")
    return SearchResult(
        hits=[hit(one) for one in value["hits"]],
        total=value["total"]["value"],
        relation=value["total"]["relation"],
        timings=value["timings"],
        warnings=tuple(value["warnings"]),
        generation=value["index"]["version"],
        usage=_usage(value.get("usage")),
        query_terms=None if terms is None else _top_terms(terms),
        query_languages=None
        if languages is None
        else {leg: tuple(codes) for leg, codes in languages.items()},
        rerank=_rerank_report(value.get("rerank")),
        stages=tuple(stage(one) for one in value.get("stages", ())),
        predictors=value.get("predictors"),
        suggestion=value.get("suggestion"),
        query=value.get("query"),
        filter=value.get("filter"),
        facets=tuple(facet(one) for one in value.get("facets", ())),
        groups=None if groups is None else tuple(Group(**one) for one in groups),
        group_total=value.get("group_total"),
    )


def facet(value: Mapping[str, Any]) -> Facet:
    return Facet(**{**value, "counts": tuple(FacetCount(**one) for one in value["counts"])})


def stage(value: Mapping[str, Any]) -> QueryStage:
    """Return the QueryStage that a part of a reply describes."""
    lists = {name: tuple(value[name]) for name in ("queries", "documents", "notes")}
    used = _usage(value.get("usage"))
    return QueryStage(**{**value, **lists, "terms": _top_terms(value["terms"]), "usage": used})


def hit(value: Mapping[str, Any]) -> Hit:
    passage, context, explain, terms, rerank = (
        value.get(name) for name in ("passage", "context", "explain", "terms", "rerank")
    )
    boosts = value.get("boosts")
    included = {part: value[part] for part in ("title", "text", "metadata") if part in value}
    return Hit(
        id=value["id"],
        score=value["score"],
        legs={leg: LegScore(**place) for leg, place in value["legs"].items()},
        passage=None if passage is None else Passage(**passage),
        context=None if context is None else Passage(**context),
        headings=tuple(value["headings"]),
        page=value["page"],
        document=Document(value["id"], **{"text": "", **included}) if included else None,
        explain=None
        if explain is None
        else {leg: [Contribution(**term) for term in found] for leg, found in explain.items()},
        terms=None if terms is None else _top_terms(terms),
        rerank=None if rerank is None else HitRerank(**rerank),
        boosts=None if boosts is None else tuple(BoostScore(**one) for one in boosts),
        highlights=_highlights(value.get("highlights")),
    )


def _highlights(value: Sequence[Mapping[str, Any]] | None) -> list[Highlight] | None:
    if value is None:
        return None
    return [
        Highlight(**{**one, "spans": [(span["start"], span["end"]) for span in one["spans"]]})
        for one in value
    ]


def _top_terms(value: Mapping[str, Any]) -> dict[str, TopTerms]:
    return {
        leg: TopTerms([TermWeight(**term) for term in terms["top"]], terms["total"])
        for leg, terms in value.items()
    }


def _usage(value: Mapping[str, Any] | None) -> Usage | None:
    return None if value is None else Usage(**value)


def _rerank_report(value: Mapping[str, Any] | None) -> RerankReport | None:
    if value is None:
        return None
    return RerankReport(**{**value, **_used(value), "stages": _stages(value["stages"])})


def _stages(values: Sequence[Mapping[str, Any]]) -> tuple[RerankStage, ...]:
    return tuple(RerankStage(**{**stage, **_used(stage)}) for stage in values)


def _used(value: Mapping[str, Any]) -> dict[str, Usage]:
    return {"usage": Usage(**value["usage"])}
