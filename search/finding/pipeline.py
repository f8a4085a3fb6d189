"""The pipeline of one search: filter, legs, fusion, reranking, a page of hits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import Document, Hit, HitRerank, InvalidInputError, SearchResult
from ...index import ExplainingView, Handles, View
from ..encoding.queries import QueryEncoder
from ..request import SearchRequest
from .candidates import read_candidates
from .explain import Explained, Scaled, explained, leg_scores, query_terms, scaled_scores
from .found import Found, Leg, Reordered, best, placed
from .fusion import Ranked, fuse, ranks
from .planning import Asked, vector_search


def find(view: View, asked: Asked) -> Found:
    """Search one state of the collection and read everything that the result needs from it.

    The view can be closed afterwards, so no transaction is open while a reranker runs. Call
    `check_search` with the view's configuration first.
    """
    plan, trace = asked.plan, asked.trace
    request, rerank = plan.request, plan.rerank
    with trace.stage("filter"):
        within = view.select(plan.where)
        warnings = view.warnings(plan.where)
    legs = []
    for leg, query in zip(plan.legs, asked.query.legs[: len(plan.legs)], strict=True):
        with trace.stage(leg.name):
            depth = leg.depth or request.depth
            how = vector_search(request, leg)
            result = view.search(leg.name, query, depth, within, how)[0]
        legs.append(Leg(leg, query, result, ranks(result.scores)))
    end = request.offset + request.limit
    with trace.stage("fuse"):
        numbers, scores = _fuse(legs, request)
        reach = end if rerank is None else max(end, rerank.top_n)
        numbers, scores = _settle_ties(view, numbers, scores, reach)
    documents: dict[int, Document] = {}
    candidates = None
    if rerank is not None:
        with trace.stage("rerank"):
            top = numbers[: rerank.top_n]
            documents = view.documents(top.tolist())
            candidates = read_candidates(view, asked, legs, top, scores[: rerank.top_n], documents)
    with trace.stage("fetch"):
        page = numbers[request.offset : end].tolist()
        if documents:
            page = [number for number in page if number not in documents]
        if request.include:
            _check_size(view, page, trace.guard.page_bytes)
            documents |= view.documents(page)
        else:
            documents |= {n: Document(name, "") for n, name in view.names(page).items()}
    return Found(
        asked=asked,
        view=view,
        legs=legs,
        numbers=numbers,
        scores=scores,
        complete=all(leg.result.complete for leg in legs),
        documents=documents,
        candidates=candidates,
        warnings=warnings,
    )


def _check_size(view: View, page: Sequence[int], most_bytes: int | None) -> None:
    if most_bytes is not None and (size := sum(view.sizes(page).values())) > most_bytes:
        raise InvalidInputError(
            f"a page must hold at most {most_bytes} bytes, got {size} in {len(page)} hits; lower "
            "`limit`, or set `include` to [] and fetch the documents one by one",
            field="limit",
        )


def answer(queries: QueryEncoder, found: Found, reordered: Reordered | None) -> SearchResult:
    """Return the requested page of a fused list.

    reordered: the list after reranking; None if the request has no `rerank`.
    """
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
        hits = _hits(queries, found, numbers, scores, reranked)
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
        generation=found.view.generation,
        usage=asked.query.usage,
        query_terms=query_terms(queries, {leg.request.name: leg.query for leg in legs})
        if request.explain
        else None,
        rerank=None if reordered is None else reordered.report,
    )


def _fuse(legs: Sequence[Leg], request: SearchRequest) -> tuple[Handles, NDArray[np.float64]]:
    if len(legs) == 1:
        numbers = legs[0].result.documents
        scores = legs[0].result.scores.astype(np.float64)
    else:
        numbers, scores = fuse(
            [
                Ranked(leg.result.documents, leg.result.scores, leg.request.weight)
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
    view: View, numbers: Handles, scores: NDArray[np.float64], end: int
) -> tuple[Handles, NDArray[np.float64]]:
    """Return the list with ties ordered by document id, at least for its first `end` entries."""
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
    names = view.names(numbers[tied].tolist())
    by_name = sorted(np.flatnonzero(tied).tolist(), key=lambda i: names[int(numbers[i])])
    places = np.zeros(len(numbers), dtype=np.int64)
    places[by_name] = np.arange(len(by_name))
    order = np.lexsort((places, -scores))
    return numbers[order], scores[order]


def _hits(
    queries: QueryEncoder,
    found: Found,
    numbers: Handles,
    scores: NDArray[np.float64],
    reranked: Sequence[HitRerank | None],
) -> list[Hit]:
    """Return the hits of a page, with explanations if the request has `explain`."""
    request = found.asked.plan.request
    places = placed(found.legs, numbers)
    passages = found.view.passages(np.array([best(one) for one in places], dtype=np.int64))
    scaled: Scaled | None = None
    reasons: Iterable[Explained | None] = repeat(None, len(places))
    if request.explain:
        scaled = scaled_scores(found.legs, request.fusion)
        reasons = explained(cast(ExplainingView, found.view), queries, places)
    hits = []
    for number, score, own, passage, rerank, reason in zip(
        numbers.tolist(), scores.tolist(), places, passages, reranked, reasons, strict=True
    ):
        found.asked.trace.guard.check()  # Explanations of a thousand hits take seconds.
        document = found.documents[number]
        hits.append(
            Hit(
                id=document.id,
                score=score,
                legs=leg_scores(own, scaled),
                passage=passage,
                document=_included(document, request),
                explain=None if reason is None else reason.contributions,
                terms=None if reason is None else reason.terms,
                rerank=rerank,
            )
        )
    return hits


def _included(document: Document, request: SearchRequest) -> Document | None:
    if not request.include:
        return None
    return Document(
        document.id,
        document.text if "text" in request.include else "",
        document.title if "title" in request.include else "",
        document.metadata if "metadata" in request.include else {},
    )
