"""What a reranker reads of the best hits, fetched from one state of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Document, Representation
from ...index import LegResult, Reader, VectorSearch
from ...rerank import Candidate
from .found import Leg, best, placed
from .planning import Asked

EXACT = VectorSearch(recall=1.0)


def read_candidates(
    reader: Reader,
    asked: Asked,
    legs: Sequence[Leg],
    numbers: NDArray[np.int64],
    scores: NDArray[np.float64],
    documents: Mapping[int, Document],
) -> list[Candidate]:
    """Texts of the documents `numbers`, and the stored scores and vectors that the reranker needs.

    legs: those that ran; scores: float64 [m], fused. The passage is that of the leg that ranks the
    document highest.
    """
    assert asked.plan.rerank is not None, "the request asks for it"
    needs = asked.plan.rerank.needs
    queries = dict(zip(asked.plan.encoded, asked.query.legs, strict=True))
    stored = {name: _scores(reader, name, queries[name], numbers) for name in sorted(needs.legs)}
    passages = [best(places) for places in placed(legs, numbers)]
    vectors: Sequence[NDArray[np.float32] | None] = [None] * len(numbers)
    if needs.vectors and passages:
        parts = np.array([result.parts[at] for result, at in passages])
        rows = np.array([result.rows[at] for result, at in passages])
        vectors = list(reader.snapshot.vectors(needs.vectors, parts, rows))
    return [
        _candidate(
            reader,
            documents[number],
            passage,
            score,
            {name: found[number] for name, found in stored.items() if number in found},
            vector,
        )
        for number, passage, score, vector in zip(
            numbers.tolist(), passages, scores.tolist(), vectors, strict=True
        )
    ]


def _candidate(
    reader: Reader,
    document: Document,
    passage: tuple[LegResult, int],
    score: float,
    legs: Mapping[str, float],
    vector: NDArray[np.float32] | None,
) -> Candidate:
    span = reader.snapshot.passage(*passage)
    return Candidate(
        id=document.id,
        text=document.text if span is None else document.text[span.start : span.end],
        title=document.title,
        document=None if span is None else document.text,
        score=score,
        legs=legs,
        vector=vector,
    )


def _scores(
    reader: Reader, leg: str, query: Representation, numbers: NDArray[np.int64]
) -> dict[int, float]:
    """Number -> score in a leg, of those of these documents that it has something to say of."""
    if len(numbers) == 0:
        return {}
    masks = reader.snapshot.masks(numbers)
    found = reader.search(leg, query, len(numbers), masks, EXACT)[0]
    return dict(zip(found.numbers.tolist(), found.scores.tolist(), strict=True))
