"""The pipeline of one search: filter, legs, fusion, reranking, a page of hits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Document, InvalidInputError, Representation, SearchResult, add_usages
from ...core.results import Facet
from ...index import Handles, View
from ...index.view import Selection
from ..arranging.facets import count_facets
from ..arranging.names import unknown_fields
from ..arranging.ordering import order_by_score, order_documents, settle_ties
from ..encoding.queries import QueryEncoder
from ..request import Fusion, LegRequest, SearchRequest
from .candidates import read_candidates
from .explain import query_terms
from .feedback import DEPTH as FEEDBACK_DEPTH
from .feedback import expand
from .fusion import Ranked, fuse, ranks
from .hits import make_hits, page_of
from .planning import EncodedPlan, vector_search
from .predicting import predictors_of
from .related.queries import like_documents
from .related.suggesting import suggest
from .results import FusedResults, Leg, Reordered


def search_view(view: View, encoded: EncodedPlan) -> FusedResults:
    """Search a view (a snapshot of the collection), and read the documents of the result.

    The view may be closed before `make_result` is called, so no transaction needs to be open while
    a reranker runs. Call `check_search` with the view's configuration first.
    """
    plan, trace = encoded.plan, encoded.trace
    request, rerank = plan.request, plan.rerank
    if request.like is not None:
        encoded = like_documents(view, encoded)
    with trace.stage("filter"):
        within = view.select(plan.where)
        warnings = [*view.warnings(plan.where), *unknown_fields(view, request.fields)]
    legs = _search_legs(view, encoded, within)
    if request.feedback is not None:
        with trace.stage("fuse"):
            first = settle_ties(view, *_fuse(legs, request), FEEDBACK_DEPTH)
        expanded = expand(view, encoded, legs, *first)
        legs = [
            _search_leg(view, encoded, leg.request, expanded[leg.request.name], within)
            if leg.request.name in expanded
            else leg
            for leg in legs
        ]
    others = _search_others(view, encoded, within)
    every = [*legs, *(leg for other in others for leg in other)]
    top = None if rerank is None else rerank.top_n
    with trace.stage("fuse"):
        if legs:
            numbers, scores = own = _fuse_enough(legs, request)
            if others:
                numbers, scores = _fuse_others(encoded, own, others)
        else:
            numbers = view.matching(plan.where)
            scores = np.zeros(len(numbers))
            own = numbers, scores
        total, arranged = len(numbers), bool(request.sort or request.boosts)
        positions = _settled_part(request, total, top)
        if not arranged:
            ordered = order_by_score(view, numbers, scores, positions)
    if arranged:
        ordered = order_documents(
            view, trace, numbers, scores, request.sort, request.boosts, positions
        )
    groups = None
    if request.group is not None:
        with trace.stage("group"):
            groups = view.values(request.group.field, ordered.documents[:top])
            if top is None:  # Equal documents may change places, but the same runs are shown.
                shown = page_of(request, total, groups, None).positions
                settled = ordered.settled(view, shown)
                if settled is not ordered:
                    ordered = settled
                    groups = view.values(request.group.field, ordered.documents)
    numbers, scores = ordered.documents, ordered.scores
    predicted = None
    if request.predictors:  # They read the list of the query, before it is arranged.
        reach = max(request.offset + request.limit, top or 0)
        predicted = predictors_of(view, encoded, legs, settle_ties(view, *own, reach)[0])
    suggestion = suggest(view, encoded) if request.suggest else None
    facets: Sequence[Facet] = ()
    if request.facets:
        with trace.stage("facets"):
            facets = count_facets(view, numbers, request.facets)
    documents: dict[int, Document] = {}
    candidates = None
    if rerank is not None:
        with trace.stage("rerank", "read candidates"):
            documents = view.documents(numbers[:top].tolist())
            candidates = read_candidates(
                view, encoded, every, numbers[:top], scores[:top], documents
            )
    with trace.stage("fetch"):
        wanted = page_of(request, len(numbers), groups, None).positions
        page = numbers[wanted].tolist() if rerank is None or groups is None else []
        page = [number for number in dict.fromkeys(page) if number not in documents]
        if request.include or request.highlight is not None:
            _check_size(view, page, trace.guard.page_bytes)
            documents |= view.documents(page)
        else:
            documents |= {n: Document(name, "") for n, name in view.names(page).items()}
    return FusedResults(
        encoded=encoded,
        view=view,
        legs=legs,
        numbers=numbers,
        scores=scores,
        complete=all(leg.result.complete for leg in every),
        documents=documents,
        candidates=candidates,
        warnings=warnings,
        predictors=predicted,
        suggestion=suggestion,
        others=every[len(legs) :],
        facets=facets,
        groups=groups,
        boosts=ordered.boosts,
    )


def _settled_part(request: SearchRequest, total: int, top: int | None) -> NDArray[np.int64]:
    """Return the positions at which the order of equal documents matters before grouping.

    top: number of documents that are reranked; None: no reranking.
    """
    end = request.offset + request.limit
    if top is not None:
        return np.arange(min(total, max(end, top)))
    if request.group is not None:
        return np.empty(0, dtype=np.int64)
    return np.arange(min(total, request.offset), min(total, end))


def first_search(view: View, encoded: EncodedPlan) -> tuple[list[Leg], Handles]:
    """Search the legs of a plan, to compute the predictor of a `Gate` before its stage runs.

    Returns the results of the legs, and the handles of the fused list, best first. Documents are
    not read.
    """
    with encoded.trace.stage("filter"):
        within = view.select(encoded.plan.where)
    legs = _search_legs(view, encoded, within)
    with encoded.trace.stage("fuse"):
        numbers, _ = settle_ties(view, *_fuse(legs, encoded.plan.request), FEEDBACK_DEPTH)
    return legs, numbers


def _search_legs(view: View, encoded: EncodedPlan, within: Selection) -> list[Leg]:
    """Search the legs of a plan for its query. within: the documents that may be returned."""
    return [
        _search_leg(view, encoded, leg, query, within)
        for leg, query in zip(encoded.plan.legs, encoded.searched, strict=True)
    ]


def _search_others(view: View, encoded: EncodedPlan, within: Selection) -> list[list[Leg]]:
    """Search the legs of a plan for each text of `encoded.rewritten.others`.

    Returns for each text the results of the legs that can encode it.
    """
    return [
        [
            _search_leg(view, encoded, leg, other.queries[leg.name], within)
            for leg in encoded.plan.legs
            if leg.name in other.queries
        ]
        for other in encoded.rewritten.others
    ]


def _fuse_others(
    encoded: EncodedPlan, own: tuple[Handles, NDArray[np.float64]], others: Sequence[Sequence[Leg]]
) -> tuple[Handles, NDArray[np.float64]]:
    """Fuse the list of the query with those of other texts, by reciprocal rank fusion.

    The lists of each text's legs are first fused by the request's `fusion`.

    own:    handles and scores of the query's fused list.
    others: for each other text, the results of its legs.
    """
    request = encoded.plan.request
    lists = [Ranked(*own, 1.0)]
    for other, legs in zip(encoded.rewritten.others, others, strict=True):
        if any(leg.request.weight > 0 for leg in legs):
            lists.append(Ranked(*_fuse_enough(legs, request), other.weight))
    return fuse(lists, Fusion(method="rrf", k=request.fusion.k))


def _fuse_enough(
    legs: Sequence[Leg], request: SearchRequest
) -> tuple[Handles, NDArray[np.float64]]:
    """Fuse the lists of legs, and leave out documents below the request's `min_score`."""
    numbers, scores = _fuse(legs, request)
    if request.min_score is not None:
        enough = scores >= request.min_score
        numbers, scores = numbers[enough], scores[enough]
    return numbers, scores


def _search_leg(
    view: View, encoded: EncodedPlan, leg: LegRequest, query: Representation, within: Selection
) -> Leg:
    """Search one leg. within: the documents that may be returned."""
    request = encoded.plan.request
    with encoded.trace.stage(leg.name, f"search {leg.name}"):
        how = vector_search(request, leg)
        result = view.search(leg.name, query, leg.depth or request.depth, within, how)[0]
    return Leg(leg, query, result, ranks(result.scores))


def _check_size(view: View, page: Sequence[int], most_bytes: int | None) -> None:
    if most_bytes is not None and (size := sum(view.sizes(page).values())) > most_bytes:
        raise InvalidInputError(
            f"the documents of a page may have at most {most_bytes} bytes, got {size}; lower "
            "`limit`, or set `include` to [] and fetch the documents one by one",
            field="limit",
        )


def make_result(
    queries: QueryEncoder, fused: FusedResults, reordered: Reordered | None
) -> SearchResult:
    """Return the result of a search: the requested page of the list of hits.

    fused:     the fused list of hits.
    reordered: the list after reranking; None if the request has no `rerank`.
    """
    encoded = fused.encoded
    request, legs = encoded.plan.request, fused.legs
    with encoded.trace.stage("fetch"):
        page = page_of(request, len(fused.numbers), fused.groups, reordered)
        hits = make_hits(queries, fused, page)
    complete, total, warnings = (
        fused.complete,
        len(fused.numbers),
        [
            *encoded.plan.warnings,
            *encoded.query.warnings,
            *(f"rewrite: {warning}" for warning in encoded.rewritten.warnings),
            *fused.warnings,
        ],
    )
    if reordered is not None:
        complete = complete and reordered.complete
        total = len(reordered.positions)
        warnings += [f"rerank: {warning}" for warning in reordered.report.warnings]
    return SearchResult(
        hits=hits,
        total=total,
        relation="eq" if complete else "gte",
        timings=encoded.trace.timings,
        warnings=tuple(warnings),
        generation=fused.view.generation,
        usage=add_usages(encoded.query.usage, encoded.rewritten.usage),
        query_terms=query_terms(queries, {leg.request.name: leg.query for leg in legs})
        if request.explain
        else None,
        query_languages=encoded.query.languages if request.explain else None,
        rerank=None if reordered is None else reordered.report,
        stages=tuple(encoded.stages),
        predictors=fused.predictors,
        suggestion=fused.suggestion,
        query=None if encoded.plan.read is None else encoded.plan.read.query,
        filter=None if encoded.plan.read is None else encoded.plan.read.filter,
        facets=fused.facets,
        groups=page.groups,
        group_total=page.group_total,
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
    return numbers, scores
