"""Predictors that need no search. They read the statistics of the query's terms.

    idf(t)  = ln((N + 1) / (df + 0.5))                      He and Ounis 2004
    ictf(t) = log2(C / cf)                                  Kwok 1996
    scq(t)  = (1 + ln cf) * ln(1 + N / df)                  Zhao, Scholer and Tsegay 2008
    scs     = sum over t of P(t|q) * log2(P(t|q) * C / cf)  He and Ounis 2004

N is the number of passages, df the number that contain the term t, cf the number of occurrences of
t in all passages, C the number of terms in all passages, and P(t|q) the share of the query's terms
that are t. A term that no passage contains counts as cf = 0.5 in ictf and scs, and has scq = 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log, log2

from ...core import TermWeights
from ...index import CollectionTerms

UNSEEN = 0.5
"""Number of occurrences that a term without occurrences counts as."""


def idf(statistics: CollectionTerms, term: str) -> float:
    """Return the inverse document frequency of a term; see the module."""
    return log((statistics.passages + 1) / (statistics.documents[term] + 0.5))


def ictf(statistics: CollectionTerms, term: str) -> float:
    """Return the inverse collection term frequency of a term; see the module."""
    return log2(max(1, statistics.total_length) / (statistics.occurrences[term] or UNSEEN))


def scq(statistics: CollectionTerms, term: str) -> float:
    """Return the similarity of a term and the collection; see the module."""
    occurrences, documents = statistics.occurrences[term], statistics.documents[term]
    if not occurrences:
        return 0.0
    return (1 + log(occurrences)) * log(1 + statistics.passages / documents)


def scs(statistics: CollectionTerms, terms: TermWeights) -> float:
    """Return the simplified clarity of a query; see the module.

    terms: the query's terms with their frequencies.
    """
    length = sum(terms.values())
    return sum(
        (weight / length) * (log2(weight / length) + ictf(statistics, term))
        for term, weight in terms.items()
    )


def predict(statistics: CollectionTerms, terms: TermWeights) -> Mapping[str, float]:
    """Return the value of each predictor in `names.BEFORE`. All are 0 for a query without terms.

    statistics: statistics of the query's terms.
    terms:      these terms with their frequencies.
    """
    idfs = [idf(statistics, term) for term in terms]
    scqs = [scq(statistics, term) for term in terms]
    unknown = sum(statistics.documents[term] == 0 for term in terms)
    return {
        "terms": float(len(terms)),
        "unknown_terms": unknown / max(1, len(terms)),
        "idf_avg": _mean(idfs),
        "idf_max": max(idfs, default=0.0),
        "ictf_avg": _mean([ictf(statistics, term) for term in terms]),
        "scq_avg": _mean(scqs),
        "scq_max": max(scqs, default=0.0),
        "scq_sum": sum(scqs),
        "scs": scs(statistics, terms) if terms else 0.0,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
