"""The passages of a search result, as a generator reads them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...core import Document, Passage, SearchResult
from ...generate import Candidate
from ..finding.places import place
from ..finding.results import FusedResults, best_passage, leg_positions


def candidates(fused: FusedResults, result: SearchResult) -> list[Candidate]:
    """Return the passages of the hits, best first.

    First comes the best passage of each hit, or its `context` if the request has `neighbours`, in
    the order of the hits. Then come the passages that another leg prefers: if a leg returned a hit
    with another best passage, this passage is included too.

    The Candidate of a document that is one passage gets no headings and no page, because its
    statements may stand below several headings.
    """
    found = []
    for hit in result.hits:
        span = hit.context or hit.passage
        document = hit.document
        assert document is not None, "the request includes title, text and metadata"
        found.append(
            Candidate(
                id=hit.id,
                document=document.text,
                start=0 if span is None else span.start,
                end=len(document.text) if span is None else span.end,
                title=document.title,
                headings=() if span is None else hit.headings,
                page=None if span is None else hit.page,
                score=hit.score,
            )
        )
    return [*found, *_of_other_legs(fused, result)]


def _of_other_legs(fused: FusedResults, result: SearchResult) -> Iterator[Candidate]:
    """Yield, for each hit, the best passages in other legs that differ from the hit's passage."""
    handles = {document.id: number for number, document in fused.documents.items()}
    cut = [hit for hit in result.hits if hit.passage is not None and hit.document is not None]
    numbers = np.array([handles[hit.id] for hit in cut], dtype=np.int64)
    if not len(numbers):
        return
    for hit, positions in zip(cut, leg_positions(fused.lists, numbers), strict=True):
        best = best_passage(positions)
        others = {int(leg.result.passages[position]) for leg, position in positions} - {best}
        spans = fused.view.passages(np.array(sorted(others), dtype=np.int64)) if others else []
        assert hit.document is not None
        for span in spans:
            if span is not None:
                yield _candidate(hit.document, span, hit.score)


def _candidate(document: Document, span: Passage, score: float) -> Candidate:
    headings, page = place(document, span)
    return Candidate(
        document.id, document.text, span.start, span.end, document.title, headings, page, score
    )
