"""Reads the input of a reranker (texts, scores, vectors) from one snapshot of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import Document, Passage, Representation
from ...index import Handles, VectorSearch, VectorView, View
from ...rerank import Candidate
from .planning import EncodedPlan
from .results import Leg, best_passage, leg_positions

EXACT = VectorSearch(recall=1.0)


def read_candidates(
    view: View,
    encoded: EncodedPlan,
    legs: Sequence[Leg],
    numbers: Handles,
    scores: NDArray[np.float64],
    documents: Mapping[int, Document],
) -> list[Candidate]:
    """Return a Candidate for each document, with the stored data that the reranker reads.

    view:      snapshot of the collection that was searched.
    legs:      results of the legs that ran.
    numbers:   handles (internal numbers) of m documents in the view, best first.
    scores:    float64 [m], fused scores of the documents.
    documents: handle -> document.

    The passage of a candidate is the best passage in the leg that ranks the document highest.
    """
    assert encoded.plan.rerank is not None, "the request has `rerank`"
    needs = encoded.plan.rerank.needs
    queries = dict(zip(encoded.plan.encoded_legs, encoded.query.legs, strict=True))
    stored = {name: _leg_scores(view, name, queries[name], numbers) for name in sorted(needs.legs)}
    passages = np.array(
        [best_passage(positions) for positions in leg_positions(legs, numbers)], dtype=np.int64
    )
    vectors: Sequence[NDArray[np.float32] | None] = [None] * len(numbers)
    if needs.vectors and len(passages):
        vectors = list(cast(VectorView, view).vectors(needs.vectors, passages))
    return [
        _candidate(
            documents[number],
            passage,
            score,
            {name: found[number] for name, found in stored.items() if number in found},
            vector,
        )
        for number, passage, score, vector in zip(
            numbers.tolist(), view.passages(passages), scores.tolist(), vectors, strict=True
        )
    ]


def _candidate(
    document: Document,
    passage: Passage | None,
    score: float,
    legs: Mapping[str, float],
    vector: NDArray[np.float32] | None,
) -> Candidate:
    return Candidate(
        id=document.id,
        text=document.text if passage is None else document.text[passage.start : passage.end],
        title=document.title,
        document=None if passage is None else document.text,
        score=score,
        legs=legs,
        vector=vector,
    )


def _leg_scores(view: View, leg: str, query: Representation, numbers: Handles) -> dict[int, float]:
    """Return document handle -> exact score of the document in a leg.

    numbers: handles (internal numbers) of the documents. The result has no entry for a document
             that the leg does not return.
    """
    if len(numbers) == 0:
        return {}
    found = view.search(leg, query, len(numbers), view.among(numbers), EXACT)[0]
    return dict(zip(found.documents.tolist(), found.scores.tolist(), strict=True))
