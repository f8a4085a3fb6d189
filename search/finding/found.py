"""What a search has found, between the index and the page that is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import Document, HitRerank, Representation, RerankReport
from ...index import Handles, LegResult, View
from ...rerank import Candidate
from ..request import LegRequest
from .planning import Asked


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg that ran: what was asked, the encoded query, what it found and how that ranks."""

    request: LegRequest
    query: Representation
    result: LegResult
    ranks: NDArray[np.int64]

    def positions(self, numbers: Handles) -> list[int | None]:
        """Where these documents are in the leg's list."""
        found = self.result.documents
        if len(found) == 0:
            return [None] * len(numbers)
        order = np.argsort(found)
        at = order[np.minimum(np.searchsorted(found, numbers, sorter=order), len(found) - 1)]
        places = np.where(found[at] == numbers, at, -1).tolist()
        return [None if place < 0 else place for place in places]


Places = Sequence[tuple[Leg, int]]
"""The legs that returned a document, and where in their lists it is."""


def placed(legs: Sequence[Leg], numbers: Handles) -> list[Places]:
    """Of each of these documents."""
    at = zip(*(leg.positions(numbers) for leg in legs), strict=True)
    return [
        [(leg, place) for leg, place in zip(legs, places, strict=True) if place is not None]
        for places in at
    ]


def best(places: Places) -> int:
    """The best passage of a document: that of the leg that ranks it highest."""
    leg, place = min(places, key=lambda pair: pair[1])
    return int(leg.result.passages[place])


@dataclass(frozen=True, slots=True)
class Found:
    """The fused list of a request, of which a page will be shown.

    view:       closed by now; see View for what it still says.
    numbers, scores: documents and float64 [n], best first.
    complete:   no leg was cut at its depth.
    documents:  handle -> document, of those that the page may have.
    candidates: what a reranker reads of the best of the list; None where there is none to read it.
    warnings:   what the filter names that no document has.
    """

    asked: Asked
    view: View
    legs: Sequence[Leg]
    numbers: Handles
    scores: NDArray[np.float64]
    complete: bool
    documents: Mapping[int, Document]
    candidates: Sequence[Candidate] | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reordered:
    """A fused list after reranking.

    places:   positions in the fused list, best first.
    hits:     what the reranker did with the first of these; those after them it was not handed.
    complete: nothing that was left out might belong in it.
    """

    places: Sequence[int]
    hits: Sequence[HitRerank]
    report: RerankReport
    complete: bool

    def hit(self, place: int) -> HitRerank:
        """Of the hit at a place in the new order, from 0."""
        if place < len(self.hits):
            return self.hits[place]
        return HitRerank(place + 1, self.places[place] + 1, judged=False)
