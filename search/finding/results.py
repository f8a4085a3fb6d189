"""Intermediate results of a search: lists of the legs, the fused list, the reranked list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import Document, HitRerank, Representation, RerankReport
from ...core.results import Facet
from ...index import FieldValues, Handles, LegResult, View
from ...rerank import Candidate
from ..request import LegRequest
from .planning import EncodedPlan


@dataclass(frozen=True, slots=True)
class Leg:
    """The results of one leg for one query.

    request: the leg's entry in the search request.
    query:   the encoded query, a representation with one row.
    result:  the m documents that the leg returned, best first.
    ranks:   int64 [m], rank of each document from 1; equal scores share the best of their ranks.
    """

    request: LegRequest
    query: Representation
    result: LegResult
    ranks: NDArray[np.int64]

    def positions(self, numbers: Handles) -> list[int | None]:
        """Return the position of each document in the leg's list; None if it is not in the list.

        numbers: handles (internal numbers) of the documents.
        """
        found = self.result.documents
        if len(found) == 0:
            return [None] * len(numbers)
        order = np.argsort(found)
        at = order[np.minimum(np.searchsorted(found, numbers, sorter=order), len(found) - 1)]
        positions = np.where(found[at] == numbers, at, -1).tolist()
        return [None if position < 0 else position for position in positions]


LegPositions = Sequence[tuple[Leg, int]]
"""The legs that returned one document, each with the document's position in the leg's list."""


def leg_positions(legs: Sequence[Leg], numbers: Handles) -> list[LegPositions]:
    """Return for each document the legs that returned it, with its position in each leg's list.

    numbers: handles (internal numbers) of the documents.
    """
    if not legs:  # The request has no query.
        return [[] for _ in numbers]
    at = zip(*(leg.positions(numbers) for leg in legs), strict=True)
    return [
        [
            (leg, position)
            for leg, position in zip(legs, positions, strict=True)
            if position is not None
        ]
        for positions in at
    ]


def best_passage(positions: LegPositions) -> int:
    """Return the handle of a document's best passage in the leg that ranks the document highest.

    positions: the legs that returned the document, with its position in each leg's list.
    """
    leg, position = min(positions, key=lambda pair: pair[1])
    return int(leg.result.passages[position])


@dataclass(frozen=True, slots=True)
class FusedResults:
    """The fused list of n documents that a search found, and the data for its result.

    view:       the snapshot of the collection that was searched; it may be closed already.
    legs:       results of each leg for the query.
    others:     results of each leg for each other text that was searched (`Rewritten.others`).
    numbers:    handles (internal numbers) of the documents, best first.
    scores:     float64 [n], fused scores.
    complete:   True if no leg reached its depth limit, so that the number of hits is exact.
    documents:  handle -> document, for every document that the returned page may contain.
    candidates: input of the reranker; None if the request has no `rerank`.
    warnings:   warnings about filter fields that no document has.
    predictors: predictor of query performance -> value; None if the request has no `predictors`.
    suggestion: the query with misspelled words replaced; None if there is none.
    facets:     counts of the request's `facets`.
    groups:     values of the field of `group` in the first documents of `numbers`, as many as may
                be grouped; None if the request has no `group`.
    boosts:     float64 [2, boosts, n], value of each boost and what it adds to the scores; None if
                the request has no `boosts`.
    """

    encoded: EncodedPlan
    view: View
    legs: Sequence[Leg]
    numbers: Handles
    scores: NDArray[np.float64]
    complete: bool
    documents: Mapping[int, Document]
    candidates: Sequence[Candidate] | None = None
    warnings: Sequence[str] = ()
    predictors: Mapping[str, float] | None = None
    suggestion: str | None = None
    others: Sequence[Leg] = ()
    facets: Sequence[Facet] = ()
    groups: FieldValues | None = None
    boosts: NDArray[np.float64] | None = None

    @property
    def lists(self) -> list[Leg]:
        """Return the results of all legs, for the query and for the other texts.

        Each document of the fused list is in at least one of these results.
        """
        return [*self.legs, *self.others]


@dataclass(frozen=True, slots=True)
class Reordered:
    """The list of hits of a search after reranking.

    positions: for each hit in the new order, its position in the fused list.
    hits:      the reranker's results for the first len(hits) hits in the new order. The other hits
               were not reranked.
    report:    summary of the reranking.
    complete:  False if hits without a rerank score were removed because of `min_score`, although
               they might have reached it.
    """

    positions: Sequence[int]
    hits: Sequence[HitRerank]
    report: RerankReport
    complete: bool

    def hit(self, position: int) -> HitRerank:
        """Return the reranker's result for a hit. position: the hit's new position, from 0."""
        if position < len(self.hits):
            return self.hits[position]
        return HitRerank(position + 1, self.positions[position] + 1, judged=False)
