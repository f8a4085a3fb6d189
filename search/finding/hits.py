"""The hits of a page, with their passages and explanations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import BoostScore, Document, Hit, HitRerank, Passage
from ...core.results import Group
from ...core.types import Highlight
from ...encoders import AnalyzerConfig, LexicalEncoder
from ...index import ExplainingView, FieldValues
from ..arranging.grouping import group_documents
from ..arranging.highlighting import highlights
from ..encoding.queries import QueryEncoder
from ..request import SearchRequest
from .explain import HitExplanation, Scaled, explain_hits, leg_scores, scaled_scores
from .places import place
from .results import FusedResults, Reordered, best_passage, leg_positions
from .stages import lexical_leg

_PLAIN = LexicalEncoder(AnalyzerConfig(language="none"))
"""Finds matching words in collections without a lexical leg."""


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list of hits that a search returns.

    positions:   int64 [m], the hits, as positions in the list before reranking.
    reranked:    the reranker's result for each hit; empty without reranking.
    groups:      the groups of the hits; None if the request has no `group`.
    group_total: number of groups of the whole list.
    """

    positions: NDArray[np.int64]
    reranked: Sequence[HitRerank] = ()
    groups: Sequence[Group] | None = None
    group_total: int | None = None


def page_of(
    request: SearchRequest, total: int, values: FieldValues | None, reordered: Reordered | None
) -> Page:
    """Return the page that a request asks for.

    total:     number of documents in the list before reranking.
    values:    values of the field of `group` in the first of these documents.
    reordered: the list after reranking; None without reranking.
    """
    order = np.arange(total)
    if reordered is not None:
        order = np.array(reordered.positions, dtype=np.int64)
    if request.group is None or values is None:
        end = request.offset + request.limit
        shown = order[request.offset : end]
        return Page(shown, _reranked(reordered, order, shown))
    step = request.group
    if reordered is not None:  # Only the documents that were reranked are grouped.
        order = order[: len(reordered.hits)]
    grouped = group_documents(values, order, step.size, request.offset, request.limit)
    shown = grouped.positions
    return Page(shown, _reranked(reordered, order, shown), grouped.groups, grouped.total)


def _reranked(
    reordered: Reordered | None, order: NDArray[np.int64], shown: NDArray[np.int64]
) -> list[HitRerank]:
    if reordered is None:
        return []
    rank = {position: i for i, position in enumerate(order.tolist())}
    return [reordered.hit(rank[position]) for position in shown.tolist()]


def make_hits(queries: QueryEncoder, fused: FusedResults, page: Page) -> list[Hit]:
    """Return the hits of a page, with explanations if the request has `explain`."""
    numbers, scores = fused.numbers[page.positions], fused.scores[page.positions]
    request = fused.encoded.plan.request
    lists = leg_positions(fused.lists, numbers)
    positions = leg_positions(fused.legs, numbers)
    passages: Sequence[Passage | None] = [None] * len(numbers)
    contexts: Sequence[Passage | None] = [None] * len(numbers)
    best = np.array([best_passage(one) for one in lists if one], dtype=np.int64)
    if fused.legs:
        passages = fused.view.passages(best)
    if fused.legs and request.neighbours:
        contexts = fused.view.passages(best, request.neighbours)
    scaled: Scaled | None = None
    reasons: Iterable[HitExplanation | None] = repeat(None, len(positions))
    boosts: Sequence[Sequence[BoostScore] | None] = [None] * len(numbers)
    if request.explain:
        boosts = _boosts(fused, page)
        scaled = None if fused.others else scaled_scores(fused.legs, request.fusion)
        reasons = explain_hits(cast(ExplainingView, fused.view), queries, positions)
    highlight = _highlighter(queries, fused)
    hits = []
    for number, score, own, passage, context, rerank, reason, raised in zip(
        numbers.tolist(),
        scores.tolist(),
        positions,
        passages,
        contexts,
        page.reranked or repeat(None, len(numbers)),
        reasons,
        boosts,
        strict=True,
    ):
        fused.encoded.trace.guard.check()  # Explanations of a thousand hits take seconds.
        document = fused.documents[number]
        headings, page_number = place(document, passage)
        hits.append(
            Hit(
                id=document.id,
                score=score,
                legs=leg_scores(own, scaled),
                passage=passage,
                context=context,
                headings=headings,
                page=page_number,
                document=_included(document, request),
                explain=None if reason is None else reason.contributions,
                terms=None if reason is None else reason.terms,
                rerank=rerank,
                boosts=raised,
                highlights=None if highlight is None else highlight(document),
            )
        )
    return hits


def _highlighter(
    queries: QueryEncoder, fused: FusedResults
) -> Callable[[Document], Sequence[Highlight]] | None:
    """Return a function that returns the snippets of a document; None: none are requested."""
    request = fused.encoded.plan.request
    wanted, query = request.highlight, request.query
    if wanted is None or query is None:
        return None
    leg = lexical_leg(fused.view.config, [one.name for one in fused.encoded.plan.legs])
    terms: dict[LexicalEncoder, Set[str]] = {}

    def snippets(document: Document) -> Sequence[Highlight]:
        analyzer = (None if leg is None else queries.analyzer(leg, document)) or _PLAIN
        if analyzer not in terms:
            terms[analyzer] = {token.term for token in analyzer.tokens(query)}
        match = partial(analyzer.matches, terms=terms[analyzer])
        return highlights(document, match, wanted)

    return snippets


def _boosts(fused: FusedResults, page: Page) -> Sequence[Sequence[BoostScore] | None]:
    """Return what each boost adds to the score of each hit of the page."""
    if fused.boosts is None:
        return [None] * len(page.positions)
    weights = [boost.weight for boost in fused.encoded.plan.request.boosts]
    values, added = fused.boosts[:, :, page.positions]
    return [
        [
            BoostScore(*one)
            for one in zip(values[:, i].tolist(), weights, added[:, i].tolist(), strict=True)
        ]
        for i in range(len(page.positions))
    ]


def _included(document: Document, request: SearchRequest) -> Document | None:
    if not request.include:
        return None
    return Document(
        document.id,
        document.text if "text" in request.include else "",
        document.title if "title" in request.include else "",
        document.metadata if "metadata" in request.include else {},
    )
