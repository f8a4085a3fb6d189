"""Queries made of documents: vectors and terms of liked ones, without those of disliked ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import NDArray

from ...core import TermWeights
from ...index import CollectionTerms
from .terms import Weights, heaviest


def liked_vector(
    liked: Sequence[NDArray[np.float32]], disliked: Sequence[NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Return a query vector, float32 [d]: mean(liked) + (mean(liked) - mean(disliked)).

    liked, disliked: for each document, the vectors of its passages, float32 [k, d]. A document
        counts as the mean of its passages. There is at least one liked document.

    Without disliked documents, the result is mean(liked). Source: the strategy "average vector" of
    Qdrant's recommendations.
    """
    wanted = _mean(liked)
    if disliked:
        wanted = 2 * wanted - _mean(disliked)
    return wanted.astype(np.float32)


def _mean(documents: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    means = [one.mean(axis=0, dtype=np.float64) for one in documents]
    mean: NDArray[np.float64] = np.mean(means, axis=0)
    return mean


def informative_terms(
    liked: Sequence[TermWeights],
    disliked: Sequence[TermWeights],
    statistics: CollectionTerms,
    terms: int,
) -> Weights:
    """Return the `terms` heaviest terms of documents by tf-idf, scaled to a largest weight of 1.

        w(t) = (mean of tf in liked - mean of tf in disliked) * ln(1 + (N - n + 0.5) / (n + 0.5))

    N is the number of passages, and n is the number of passages with the term. Source: the formula
    of idf is that of BM25; the choice of terms is that of Lucene's MoreLikeThis.
    """
    number = statistics.passages
    found = {}
    for term, count in liked_weights(liked, disliked).items():
        having = min(statistics.documents.get(term, 0), number)
        found[term] = count * log(1 + (number - having + 0.5) / (having + 0.5))
    return _scaled(heaviest(found, terms))


def liked_weights(liked: Sequence[TermWeights], disliked: Sequence[TermWeights]) -> Weights:
    """Return term -> mean weight in liked documents - mean weight in disliked ones, if above 0."""
    found: Weights = {}
    for documents, sign in ((liked, 1.0), (disliked, -1.0)):
        for one in documents:
            for term, weight in one.items():
                found[term] = found.get(term, 0.0) + sign * weight / len(documents)
    return {term: weight for term, weight in found.items() if weight > 1e-9}


def _scaled(weights: Weights) -> Weights:
    most = max(weights.values(), default=1.0)
    return {term: weight / most for term, weight in weights.items()}
