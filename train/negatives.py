"""Hard negatives: documents that a first stage ranks high and that do not answer the query.

Sampled from the top ranks, as in localized contrastive estimation (Gao et al., 2021). What may
be an unjudged answer is left out: a document that says nearly the same as a positive, and, where
the query was made and not judged, what is ranked higher than its document (after Moreira et al.,
2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core import Document
from .queries import TrainingQuery

ALIKE = 0.8
"""Share of words (Jaccard) from which two documents say the same."""


def candidates(
    query: TrainingQuery, ranked: Sequence[str], documents: Mapping[str, Document]
) -> list[str]:
    """Those of the ranked documents that may be negatives, in their order.

    ranked: ids, best first. For a query that was made, those before its document do not count, for
    they may answer it better.
    """
    positives = set(query.positives)
    if query.origin != "judged":
        place = max((i for i, one in enumerate(ranked) if one in positives), default=-1)
        ranked = ranked[place + 1 :]
    same = [_words(documents[one]) for one in query.positives]
    return [
        one
        for one in ranked
        if one not in positives
        and one not in query.excluded
        and not any(_alike(_words(documents[one]), words) for words in same)
    ]


def sample(pool: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    """`count` different ids of the pool, or all of a smaller one, in a random order."""
    chosen = rng.permutation(len(pool))[:count]
    return [pool[i] for i in chosen.tolist()]


def _words(document: Document) -> frozenset[str]:
    return frozenset(f"{document.title} {document.text}".lower().split())


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    return len(left & right) >= ALIKE * max(1, len(left | right))
