"""Chooses hard negatives: documents that BM25 ranks high, although they do not answer the query.

Hard negatives are sampled from the top ranks, as in localized contrastive estimation (Gao et al.,
2021). Unjudged documents that may answer the query are left out (after Moreira et al., 2024). These
are near copies of a positive (a document that answers the query). For a query that was generated
from a document, these are also all documents ranked above this document.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core import Document
from .queries import TrainingQuery

NEAR_COPY = 0.8
"""Two documents are near copies if the Jaccard similarity of their words is at least this."""


def candidates(
    query: TrainingQuery, ranked: Sequence[str], documents: Mapping[str, Document]
) -> list[str]:
    """Return the ids of the ranked documents that may be negatives, in the given order.

    Leaves out the documents described in the docstring of this module.

    ranked:    ids of the documents that BM25 finds for the query, best first.
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
    """Return `count` different random ids of `pool`, or all ids if `pool` is smaller."""
    chosen = rng.permutation(len(pool))[:count]
    return [pool[i] for i in chosen.tolist()]


def _words(document: Document) -> frozenset[str]:
    return frozenset(f"{document.title} {document.text}".lower().split())


def _near_copy(left: frozenset[str], right: frozenset[str]) -> bool:
    return len(left & right) >= NEAR_COPY * max(1, len(left | right))
