"""Predictors that read the terms of the passages that were found.

    coverage = sum of idf(t) over query terms t in the passages / sum of idf(t) over all query terms
    clarity  = sum over t of P(t|R) * log2(P(t|R) * C / cf)

P(t|R) is the mean over the passages of tf / (length of the passage), for the 100 terms for which it
is largest, scaled to the sum 1. idf, C and cf are defined in `before`. Source of clarity:
Cronen-Townsend, Zhou and Croft 2002; the paper weights passages by query likelihood and reads 500
passages.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log2

from ...core import TermCounts, TermWeights
from ...index import CollectionTerms
from .before import ictf

PASSAGES = 5
"""Number of passages that `coverage` reads."""

READ = 10
"""Number of passages that `clarity` reads."""

TERMS = 100
"""Number of terms that `clarity` compares with the collection."""


def coverage(weights: TermWeights, passages: Sequence[TermCounts]) -> tuple[float, float]:
    """Return the coverage of a query by the first 5 passages together, and by the best of them.

    weights: query term -> its idf. Both values are 0 for a query without terms.
    """
    read = [set(one) for one in passages[:PASSAGES]]
    best = max((covered(weights, one) for one in read), default=0.0)
    return covered(weights, set().union(*read)), best


def covered(weights: TermWeights, terms: Collection[str]) -> float:
    """Return the share of the weights whose terms are in `terms`; 0 if the weights add up to 0."""
    total = sum(weights.values())
    return sum(one for term, one in weights.items() if term in terms) / total if total > 0 else 0.0


def model(passages: Sequence[TermCounts]) -> dict[str, float]:
    """Return term -> P(t|R), for the terms with the largest values; see the module."""
    found: dict[str, float] = {}
    for counts in passages:
        length = sum(counts.values())
        for term, count in counts.items():
            found[term] = found.get(term, 0.0) + count / length
    top = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:TERMS]
    total = sum(weight for _, weight in top)
    return {term: weight / total for term, weight in top}


def clarity(terms: Mapping[str, float], statistics: CollectionTerms) -> float:
    """Return the clarity of the passages; see the module.

    terms:      the result of `model`.
    statistics: statistics of these terms.
    """
    return sum(share * (log2(share) + ictf(statistics, t)) for t, share in terms.items())
