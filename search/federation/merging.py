"""Merges the hits and facets of several collections.

By default by reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009). Ranks are used because
scores of different collections are not comparable: BM25 depends on the statistics of a collection,
and fused scores depend on the other hits of its list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ...core import Hit, InvalidInputError, SearchResult
from ...core.filters import NUMBER, OWN, STRING, flatten
from ...core.filters.dates import instant
from ...core.filters.values import typed
from ...core.results import (
    Facet,
    FacetCount,
    FederatedHit,
    FederatedResult,
    SearchedCollection,
)
from ...index.field_values import Value, plain
from ..arranging.request import SCORE, FacetRequest, SortKey
from ..request import Fusion
from .request import VALUES, FederatedRequest

K = Fusion(method="rrf").constant
"""The constant of reciprocal rank fusion."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the search of one collection gave. name: of the collection. One of the others is None.

    result: the first `offset` + `limit` hits of the collection.
    error:  why it failed.
    """

    name: str
    result: SearchResult | None
    error: Exception | None = None


def merge(request: FederatedRequest, parts: Sequence[Part]) -> FederatedResult:
    """Merge the results of the collections of a request. parts: in the order of the request.

    Raises the first error if `on_error` is "fail", or if every collection failed.
    """
    errors = [one for one in parts if one.error is not None]
    if errors and (request.on_error == "fail" or len(errors) == len(parts)):
        raise _named(errors[0])
    found = [(one.name, one.result) for one in parts if one.result is not None]
    return FederatedResult(
        hits=_hits(request, found),
        total=sum(result.total for _, result in found),
        relation="eq" if all(one.relation == "eq" for _, one in found) else "gte",
        collections=[_searched(one) for one in parts],
        facets=[
            _facet(facet, [result.facets[i] for _, result in found])
            for i, facet in enumerate(request.facets)
        ],
        warnings=[*_warnings(parts), *_cut(request, found)],
    )


def _named(part: Part) -> Exception:
    """Return the error of a collection. If a field of the request is wrong, it says for which."""
    error = part.error
    assert error is not None
    if isinstance(error, InvalidInputError):
        message = f"collection {part.name!r}: {error.message}"
        return InvalidInputError(message, field=error.field)
    return error


def _searched(part: Part) -> SearchedCollection:
    if part.result is None:
        return SearchedCollection(part.name, error=str(part.error))
    one = part.result
    return SearchedCollection(
        part.name, one.total, one.relation, one.generation, round(one.milliseconds, 3)
    )


def _warnings(parts: Sequence[Part]) -> list[str]:
    found = []
    for one in parts:
        if one.error is not None:
            found.append(f"{one.name}: left out: {one.error}")
        elif one.result is not None:
            found += [f"{one.name}: {warning}" for warning in one.result.warnings]
    return found


# -- hits ----------------------------------------------------------------------------------


def _hits(
    request: FederatedRequest, found: Sequence[tuple[str, SearchResult]]
) -> list[FederatedHit]:
    weights = {one.name: one.weight for one in request.collections}
    by_score = request.merge == "score"
    hits = [
        FederatedHit(name, rank, _own_score(hit) if by_score else weights[name] / (K + rank), hit)
        for name, result in found
        for rank, hit in enumerate(result.hits, 1)
    ]
    keys = request.sort or (SortKey(field=SCORE, order="desc"),)
    for key in reversed(keys):  # Each sort keeps the order of equal hits.
        hits = _sorted(hits, key)
    page = hits[request.offset : request.offset + request.limit]
    return [replace(one, hit=_stripped(one.hit, request)) for one in page]


def _own_score(hit: Hit) -> float:
    """Return the reranker's score of a hit, or its fused score."""
    if hit.rerank is not None and hit.rerank.score is not None:
        return hit.rerank.score
    return hit.score


def _sorted(hits: Sequence[FederatedHit], key: SortKey) -> list[FederatedHit]:
    valued = [(_value(one, key), one) for one in hits]
    there = [pair for pair in valued if pair[0] is not None]
    there.sort(key=lambda pair: cast(Any, pair[0]), reverse=key.descends)
    absent = [one for value, one in valued if value is None]
    present = [one for _, one in there]
    return [*absent, *present] if key.missing == "first" else [*present, *absent]


def _value(hit: FederatedHit, key: SortKey) -> tuple[int, Any] | None:
    """Return the value by which a hit is ordered, as `arranging.sorting` does; None: it has none.

    Numbers come before strings, and strings before booleans.
    """
    if key.field == SCORE:
        return NUMBER, hit.score
    assert hit.hit.document is not None, "`FederatedRequest.own` includes the metadata"
    own = {"id": hit.hit.id, "title": hit.hit.document.title}
    values: list[tuple[int, Any]] = [
        (kind, value)
        for name, kind, value in flatten(hit.hit.document.metadata)
        if name == key.field
    ]
    if key.field in OWN and own[key.field]:
        values.append((STRING, own[key.field]))
    if key.date:
        dates = [instant(str(value)) for kind, value in values if kind == STRING]
        values = [(STRING, at) for at in dates if at is not None]
    if not values:
        return None
    return max(values) if key.descends else min(values)


def _stripped(hit: Hit, request: FederatedRequest) -> Hit:
    """Return a hit with the parts of its document that the request includes."""
    if hit.document is None or not request.sort:
        return hit
    if not request.include:
        return replace(hit, document=None)
    changes: dict[str, Any] = {}
    if "title" not in request.include:
        changes["title"] = ""
    if "metadata" not in request.include:
        changes["metadata"] = {}
    return replace(hit, document=replace(hit.document, **changes)) if changes else hit


# -- facets --------------------------------------------------------------------------------


def _facet(request: FacetRequest, found: Sequence[Facet]) -> Facet:
    counts = _ranges(found) if request.ranges else _counts(request, found)
    minima = [one.minimum for one in found if one.minimum is not None]
    maxima = [one.maximum for one in found if one.maximum is not None]
    values = set() if request.ranges else {_value_of(c) for one in found for c in one.counts}
    return Facet(
        field=request.field,
        counts=counts,
        distinct=max([len(values), *(one.distinct for one in found)]),
        missing=sum(one.missing for one in found),
        minimum=min(minima, default=None),
        maximum=max(maxima, default=None),
    )


def _counts(request: FacetRequest, found: Sequence[Facet]) -> list[FacetCount]:
    totals: Counter[Value] = Counter()
    for one in found:
        for count in one.counts:
            totals[_value_of(count)] += count.count
    chosen = sorted(totals)
    if request.order == "count":
        chosen.sort(key=lambda value: -totals[value])  # Equal counts stay in the order of values.
    return [FacetCount(totals[value], plain(value)) for value in chosen[: request.limit]]


def _ranges(found: Sequence[Facet]) -> list[FacetCount]:
    return [
        replace(same[0], count=sum(one.count for one in same))
        for same in zip(*(one.counts for one in found), strict=True)
    ]


def _value_of(count: FacetCount) -> Value:
    """Return the value of a count with its kind, so that 1 and true are different values."""
    return typed(count.value, "value")


def _cut(request: FederatedRequest, found: Sequence[tuple[str, SearchResult]]) -> list[str]:
    """Return a warning for each facet of which not all values were read."""
    cut: Mapping[str, list[str]] = {
        facet.field: [name for name, result in found if result.facets[i].distinct > VALUES]
        for i, facet in enumerate(request.facets)
        if not facet.ranges
    }
    return [
        f"facets: {field!r} has more than {VALUES} values in {', '.join(names)}; counts of rarer "
        "values may be too low"
        for field, names in cut.items()
        if names
    ]
