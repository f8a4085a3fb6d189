"""One search, followed through: filter, legs, fusion, reranking, the hits of a page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Document, Hit, HitRerank, InvalidInputError
from ...index import Reader
from ..encoding.queries import QueryEncoder
from ..request import SearchRequest, SearchResult
from .candidates import read_candidates
from .explain import Scaled, contributions, leg_scores, passage_terms, query_terms, scaled_scores
from .found import Found, Leg, Places, Reordered, best, placed
from .fusion import Ranked, fuse, ranks
from .planning import Asked, check_search, vector_search


def find(reader: Reader, asked: Asked) -> Found:
    """Search one state of the collection and read from it all that the answer needs, so that no
    transaction is held while a reranker works."""
    plan, trace = asked.plan, asked.trace
    request, rerank = plan.request, plan.rerank
    check_search(reader.config, plan)
    with trace.stage("filter"):
        masks = reader.masks(plan.where)
        warnings = reader.filter_warnings(plan.where)
    legs = []
    for leg, query in zip(plan.legs, asked.query.legs[: len(plan.legs)], strict=True):
        with trace.stage(leg.name):
            depth = leg.depth or request.depth
            found = reader.search(leg.name, query, depth, masks, vector_search(request, leg))
            result = found[0]
        legs.append(Leg(leg, query, result, ranks(result.scores)))
    end = request.offset + request.limit
    with trace.stage("fuse"):
        numbers, scores = _fuse(legs, request)
        reach = end if rerank is None else max(end, rerank.top_n)
        numbers, scores = _settle_ties(reader, numbers, scores, reach)
    documents: dict[int, Document] = {}
    candidates = None
    if rerank is not None:
        with trace.stage("rerank"):
            top = numbers[: rerank.top_n]
            documents = reader.documents(top.tolist())
            candidates = read_candidates(
                reader, asked, legs, top, scores[: rerank.top_n], documents
            )
    with trace.stage("fetch"):
        page = numbers[request.offset : end].tolist()
        if documents:
            page = [number for number in page if number not in documents]
        if request.include:
            _check_size(reader, page, trace.guard.page_bytes)
            documents |= reader.documents(page)
        else:
            documents |= reader.names(page)
    return Found(
        asked=asked,
        snapshot=reader.snapshot,
        legs=legs,
        numbers=numbers,
        scores=scores,
        complete=all(leg.result.complete for leg in legs),
        documents=documents,
        candidates=candidates,
        warnings=warnings,
    )


def _check_size(reader: Reader, page: Sequence[int], most_bytes: int | None) -> None:
    if most_bytes is not None and (size := sum(reader.sizes(page).values())) > most_bytes:
        raise InvalidInputError(
            f"the {len(page)} hits of this page hold {size} bytes, and at most {most_bytes} are "
            "returned at once: lower it, or give `include: []` and fetch the documents one by one",
            field="limit",
        )


def answer(queries: QueryEncoder, found: Found, reordered: Reordered | None) -> SearchResult:
    """Cut the page and tell of its hits."""
    asked = found.asked
    request, legs = asked.plan.request, found.legs
    end = request.offset + request.limit
    with asked.trace.stage("fetch"):
        numbers, scores = found.numbers[request.offset : end], found.scores[request.offset : end]
        reranked: Sequence[HitRerank | None] = [None] * len(numbers)
        if reordered is not None:
            at = np.array(reordered.places[request.offset : end], dtype=np.int64)
            numbers, scores = found.numbers[at], found.scores[at]
            reranked = [reordered.hit(request.offset + i) for i in range(len(at))]
        scaled = scaled_scores(legs, request.fusion) if request.explain else None
        hits = [
            _hit(queries, found, number, score, places, scaled, rerank)
            for number, score, places, rerank in zip(
                numbers.tolist(), scores.tolist(), placed(legs, numbers), reranked, strict=True
            )
        ]
    complete, total, warnings = (
        found.complete,
        len(found.numbers),
        [*asked.query.warnings, *found.warnings],
    )
    if reordered is not None:
        complete = complete and reordered.complete
        total = len(reordered.places)
        warnings += [f"rerank: {warning}" for warning in reordered.report.warnings]
    return SearchResult(
        hits=hits,
        total=total,
        relation="eq" if complete else "gte",
        timings=asked.trace.timings,
        warnings=tuple(warnings),
        generation=found.snapshot.generation,
        usage=asked.query.usage,
        query_terms=query_terms(queries, {leg.request.name: leg.query for leg in legs})
        if request.explain
        else None,
        rerank=None if reordered is None else reordered.report,
    )


def _fuse(
    legs: Sequence[Leg], request: SearchRequest
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
    queries: QueryEncoder,
    found: Found,
    number: int,
    score: float,
    places: Places,
    scaled: Scaled | None,
    rerank: HitRerank | None,
) -> Hit:
    request, snapshot = found.asked.plan.request, found.snapshot
    found.asked.trace.guard.check()  # Explaining a thousand hits takes seconds.
    document = found.documents[number]
    explain, terms = None, None
    if request.explain:
        results = {leg.request.name: (leg.result, at) for leg, at in places}
        encoded = {leg.request.name: leg.query for leg, _ in places}
        explain = contributions(snapshot, queries, encoded, results)
        terms = passage_terms(snapshot, queries, results)
    return Hit(
        id=document.id,
        score=score,
        legs=leg_scores(places, scaled),
        passage=snapshot.passage(*best(places)),
        document=_included(document, request),
        explain=explain,
        terms=terms,
        rerank=rerank,
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
