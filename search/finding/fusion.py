"""Fusion of the ranked lists of several legs into one list.

The fused score of a document, where s is the document's raw score in a leg's list and w is the
leg's weight:

    rrf     sum of w / (k + rank), k = 60 (Cormack, Clarke and Buettcher 2009). Documents with equal
            scores have the same rank, so a rank does not depend on the order of writes.
    minmax  weighted mean of (s - min) / (max - min)
    zscore  weighted mean of (s - mean) / sd, shifted so that the list's last document has 0
    dbsf    weighted mean of (s - (mean - 3 sd)) / 6 sd (distribution-based), not clipped to [0, 1]

min, max, mean and sd (population) are computed over the leg's list, cut off at the leg's depth. If
all scores of a list are equal, each of its documents gets the scaled score 1 (dbsf: 0.5).

A document that is absent from a leg's list gets the scaled score 0 for this leg. With minmax and
zscore, 0 is also the score of the list's last document. With dbsf, 0 is the scaled form of a raw
score of mean - 3 sd.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..request import Fusion


@dataclass(frozen=True, slots=True)
class Ranked:
    """The ranked list of m documents of one leg.

    numbers: int64 [m], handles (internal numbers) of the documents, best first.
    scores:  float [m], scores of the documents.
    weight:  weight of the leg in the fusion.
    """

    numbers: NDArray[np.int64]
    scores: NDArray[Any]
    weight: float


def ranks(scores: NDArray[Any]) -> NDArray[np.int64]:
    """Return the rank of each score, from 1. Equal scores share the best of their ranks.

    scores: float [m] in descending order.

    Example: the scores 9, 7, 7, 5 have the ranks 1, 2, 2, 4.
    """
    places = np.arange(1, len(scores) + 1)
    places[1:][scores[1:] == scores[:-1]] = 0
    return np.maximum.accumulate(places)


def normalize(scores: NDArray[Any], fusion: Fusion) -> NDArray[np.float64]:
    """Return the scaled scores of one leg's list, float64 [m], not yet multiplied by its weight.

    scores: float [m], raw scores in descending order.
    """
    values = scores.astype(np.float64)
    if len(values) == 0:
        return values
    if fusion.method == "rrf":
        return 1.0 / (fusion.constant + ranks(values))
    if fusion.method == "minmax":
        low, high = values.min(), values.max()
        return (values - low) / (high - low) if high > low else np.ones_like(values)
    mean, deviation = values.mean(), values.std()
    flat = deviation <= 1e-12 * max(1.0, abs(float(mean)))
    if fusion.method == "zscore":
        return np.ones_like(values) if flat else (values - values.min()) / deviation
    return np.full_like(values, 0.5) if flat else (values - mean) / (6 * deviation) + 0.5


def list_factors(weights: Sequence[float], fusion: Fusion) -> list[float]:
    """Return the factor of each leg's list.

    The fused score of a document is the sum of scaled score x factor over the lists.

    weights: weights of the legs.
    """
    total = 1.0 if fusion.method == "rrf" else sum(weights) or 1.0
    return [weight / total for weight in weights]


def fuse(lists: Sequence[Ranked], fusion: Fusion) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the handles (internal numbers) and fused scores of all documents, best first.

    Documents with equal scores are ordered by handle.
    """
    numbers = np.concatenate([ranked.numbers for ranked in lists])
    gained = np.concatenate([ranked.weight * normalize(ranked.scores, fusion) for ranked in lists])
    by_number = np.argsort(numbers, kind="stable")
    numbers, gained = numbers[by_number], gained[by_number]
    begins = np.flatnonzero(np.diff(numbers, prepend=-1))
    unique = numbers[begins]
    scores = np.add.reduceat(gained, begins) if len(begins) else gained
    if fusion.method != "rrf":
        # A mean: the range of the fused score must not depend on the number of legs.
        scores = scores / (sum(ranked.weight for ranked in lists) or 1.0)
    order = np.lexsort((unique, -scores))
    return unique[order], scores[order]
