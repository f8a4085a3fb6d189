"""Hard negatives: documents that a first stage ranks high but that do not answer the query.

They are sampled from the top ranks, as in localized contrastive estimation (Gao et al., 2021).
Documents that may be unjudged answers are left out (after Moreira et al., 2024): near copies of a
positive, and, for a generated query, all documents ranked above the one it was generated from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core import Document
from .queries import TrainingQuery

NEAR_COPY = 0.8
"""Jaccard similarity of two documents' words from which they are near copies."""


def candidates(
    query: TrainingQuery, ranked: Sequence[str], documents: Mapping[str, Document]
) -> list[str]:
    """Return the ranked documents that may be negatives, in the given order.

    ranked:    document ids, best first. For a generated query, documents ranked above the one it
               was generated from are left out, because they may answer it better.
    documents: document id -> document.
    """
    positives = set(query.positives)
    if query.origin != "judged":
        position = max((i for i, one in enumerate(ranked) if one in positives), default=-1)
        ranked = ranked[position + 1 :]
    same = [_words(documents[one]) for one in query.positives]
    return [
        one
        for one in ranked
        if one not in positives
        and one not in query.excluded
        and not any(_near_copy(_words(documents[one]), words) for words in same)
    ]


def sample(pool: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` random ids of the pool without repetition, or all if the pool is smaller."""
    chosen = rng.permutation(len(pool))[:count]
    return [pool[i] for i in chosen.tolist()]


def _words(document: Document) -> frozenset[str]:
    return frozenset(f"{document.title} {document.text}".lower().split())


def _near_copy(left: frozenset[str], right: frozenset[str]) -> bool:
    return len(left & right) >= NEAR_COPY * max(1, len(left | right))
