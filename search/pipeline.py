"""One search, followed through: encode, filter, legs, fusion, the stored documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import (
    CollectionConfig,
    DenseLeg,
    Document,
    Hit,
    InvalidInputError,
    LegScore,
    Representation,
    Trace,
    VectorSearch,
)
from ..index import LegResult, Reader, check_filter
from .explain import contributions, passage_terms, query_terms
from .fusion import Ranked, fuse, ranks
from .queries import EncodedQuery, QueryEncoder
from .request import LegRequest, SearchRequest, SearchResult


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that can run, encoded, with the timings so far."""

    request: SearchRequest
    legs: Sequence[LegRequest]
    encoded: EncodedQuery
    trace: Trace


@dataclass(frozen=True, slots=True)
class _Leg:
    """A leg that ran: what was asked, the encoded query, what it found and how that ranks."""

    request: LegRequest
    query: Representation
    result: LegResult
    ranks: NDArray[np.int64]

    def positions(self, numbers: NDArray[np.int64]) -> list[int | None]:
        """Where these documents are in the leg's list."""
        found = self.result.numbers
        if len(found) == 0:
            return [None] * len(numbers)
        order = np.argsort(found)
        at = order[np.minimum(np.searchsorted(found, numbers, sorter=order), len(found) - 1)]
        return [
            int(place) if found[place] == number else None
            for place, number in zip(at, numbers, strict=True)
        ]


def plan(config: CollectionConfig, request: SearchRequest) -> list[LegRequest]:
    """The legs that a request means. Raises InvalidInputError for one that cannot run.

    Not for parameters that the index of a dense leg does not have: see `check_search`.
    """
    legs = list(request.legs)
    if not legs:
        names = list(config.legs) if request.query is not None else list(request.vectors)
        legs = [LegRequest(name=name) for name in names]
    for i, leg in enumerate(legs):
        if leg.name not in config.legs:
            raise InvalidInputError(
                f"there is no leg {leg.name!r}; this collection has {', '.join(config.legs)}",
                field=f"legs[{i}].name" if request.legs else f"vectors.{leg.name}",
            )
        if request.query is None and leg.name not in request.vectors:
            raise InvalidInputError(
                f"leg {leg.name!r} has neither a text (`query`) nor a vector to search with",
                field=f"legs[{i}].name",
            )
    unused = [name for name in request.vectors if name not in {leg.name for leg in legs}]
    if unused:
        raise InvalidInputError("this leg does not run", field=f"vectors.{unused[0]}")
    if not any(leg.weight > 0 for leg in legs):
        raise InvalidInputError("at least one leg needs a weight above 0", field="legs")
    dense = {leg.name for leg in legs if isinstance(config.legs[leg.name], DenseLeg)}
    for i, leg in enumerate(legs):
        if leg.search is not None and leg.name not in dense:
            raise InvalidInputError(
                f"leg {leg.name!r} is {config.legs[leg.name].kind} and searched exactly: "
                "only a dense leg takes it",
                field=f"legs[{i}].search",
            )
    if request.search is not None and not dense:
        raise InvalidInputError("no dense leg runs, and no other takes it", field="search")
    if request.filter is not None:
        check_filter(request.filter)
    return legs


def check_search(config: CollectionConfig, asked: Asked) -> None:
    """Raise InvalidInputError for parameters that the index of a dense leg does not have.

    `config` is that of the state to be searched: unlike which legs there are, how they are stored
    may change while a collection is open.
    """
    for i, leg in enumerate(asked.legs):
        storage = config.legs[leg.name]
        search = _search(asked.request, leg)
        if search is None or not isinstance(storage, DenseLeg):
            continue
        unknown = [name for name in search.parameters if name not in storage.parameters]
        if unknown:
            able = " and ".join(storage.parameters)
            raise InvalidInputError(
                f"means nothing to leg {leg.name!r}, whose index is {storage.index.kind}: "
                + (f"it takes recall, or {able}" if able else "it compares every vector"),
                field=f"{'search' if leg.search is None else f'legs[{i}].search'}.{unknown[0]}",
            )


def _search(request: SearchRequest, leg: LegRequest) -> VectorSearch | None:
    """How far a dense leg looks; None = as configured."""
    search = request.search if leg.search is None else leg.search
    return search if search is not None and search.model_fields_set else None


def ask(config: CollectionConfig, queries: QueryEncoder, request: SearchRequest) -> Asked:
    """Check a request and encode it.

    Apart from `run`, for a model may take seconds, in which no state should be held on to.
    """
    trace = Trace()
    legs = plan(config, request)
    with trace.stage("encode"):
        encoded = queries.encode([leg.name for leg in legs], request)
    return Asked(request, legs, encoded, trace)


def run(reader: Reader, queries: QueryEncoder, asked: Asked) -> SearchResult:
    """Answer one request from one state of the collection."""
    request, encoded, trace = asked.request, asked.encoded, asked.trace
    check_search(reader.config, asked)
    with trace.stage("filter"):
        masks = reader.masks(request.filter)
    legs = []
    for leg, query in zip(asked.legs, encoded.legs, strict=True):
        with trace.stage(leg.name):
            depth = leg.depth or request.depth
            found = reader.search(leg.name, query, depth, masks, _search(request, leg))
            result = found[0]
        legs.append(_Leg(leg, query, result, ranks(result.scores)))
    with trace.stage("fuse"):
        numbers, scores = _fuse(legs, request)
        end = request.offset + request.limit
        numbers, scores = _settle_ties(reader, numbers, scores, end)
    with trace.stage("fetch"):
        shown = numbers[request.offset : end]
        page = shown.tolist()
        documents = reader.documents(page) if request.include else reader.names(page)
        places = zip(*(leg.positions(shown) for leg in legs), strict=True)
        hits = [
            _hit(reader, queries, list(zip(legs, at, strict=True)), request, score, documents[n])
            for n, score, at in zip(
                page, scores[request.offset : end].tolist(), places, strict=True
            )
        ]
    complete = all(leg.result.complete for leg in legs)
    return SearchResult(
        hits=hits,
        total=len(numbers),
        relation="eq" if complete else "gte",
        timings=trace.timings,
        warnings=tuple(encoded.warnings),
        generation=reader.snapshot.generation,
        usage=encoded.usage,
        query_terms=query_terms(queries, {leg.request.name: leg.query for leg in legs})
        if request.explain
        else None,
    )


def _fuse(
    legs: Sequence[_Leg], request: SearchRequest
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if len(legs) == 1:
        numbers = legs[0].result.numbers
        scores = legs[0].result.scores.astype(np.float64)
    else:
        numbers, scores = fuse(
            [
                Ranked(leg.result.numbers, leg.result.scores, leg.request.weight)
                for leg in legs
                if leg.request.weight > 0
            ],
            request.fusion,
        )
    if request.min_score is not None:
        enough = scores >= request.min_score
        numbers, scores = numbers[enough], scores[enough]
    return numbers, scores


def _settle_ties(
    reader: Reader, numbers: NDArray[np.int64], scores: NDArray[np.float64], end: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Order equal scores by id, as far as the page reaches."""
    if len(scores) < 2:
        return numbers, scores
    worst = scores[min(end, len(scores)) - 1]
    equal = scores[1:] == scores[:-1]
    tied = np.zeros(len(scores), dtype=np.bool_)
    tied[1:] |= equal
    tied[:-1] |= equal
    tied &= scores >= worst
    if not tied.any():
        return numbers, scores
    order = reader.order_by_id(numbers, scores, tied)
    return numbers[order], scores[order]


def _hit(
    reader: Reader,
    queries: QueryEncoder,
    places: Sequence[tuple[_Leg, int | None]],
    request: SearchRequest,
    score: float,
    document: Document,
) -> Hit:
    placed = [(leg, at) for leg, at in places if at is not None]
    best, position = min(placed, key=lambda pair: pair[1])
    explain, terms = None, None
    if request.explain:
        found = {leg.request.name: (leg.result, at) for leg, at in placed}
        encoded = {leg.request.name: leg.query for leg, _ in placed}
        explain = contributions(reader, queries, encoded, found)
        terms = passage_terms(reader, queries, found)
    return Hit(
        id=document.id,
        score=score,
        legs={
            leg.request.name: LegScore(int(leg.ranks[at]), float(leg.result.scores[at]))
            for leg, at in placed
        },
        passage=reader.passage(best.result, position),
        document=_included(document, request),
        explain=explain,
        terms=terms,
    )


def _included(document: Document, request: SearchRequest) -> Document | None:
    if not request.include:
        return None
    return Document(
        document.id,
        document.text if "text" in request.include else "",
        document.title if "title" in request.include else "",
        document.metadata if "metadata" in request.include else {},
    )
