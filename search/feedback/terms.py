"""Feedback on weighted terms: RM3, Rocchio, Bo1 and KL.

A query or passage is a mapping: term -> weight. In a lexical leg, the weight is the frequency of
the term. In a learned sparse leg, it is the weight from the encoder. The result has the query's
terms and the best terms of the passages. The weights of the result are scaled to the sum of the
query's weights, so that scores stay comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2, sqrt

from ...core import TermWeights
from ...index import CollectionTerms

Weights = dict[str, float]

LEAST_PASSAGES = 2
"""Number of feedback passages that must contain a term for Bo1 and KL, if there are several."""


def rm3(
    query: TermWeights,
    passages: Sequence[TermWeights],
    scores: Sequence[float],
    terms: int,
    weight: float,
) -> Weights:
    """Expand a query with a relevance model, RM3.

        P(t|R) ~ sum over passages d of score(d) * w(t, d) / sum of w(t', d) over the terms t' of d
        expanded(t) = (1 - weight) * q(t) / sum of q + weight * P(t|R)

    Only the `terms` heaviest terms of each passage enter the first formula. Only the `terms`
    heaviest terms of P(t|R) are kept, and then scaled to the sum 1.

    scores: score(d), the weight of each passage, not negative. If all are 0, the passages count
            equally.
    terms:  maximum number of terms.
    weight: share of the passages' terms in the expanded query, from 0 to 1.

    Source: Lavrenko and Croft 2001; Abdul-Jaleel et al., "UMass at TREC 2004". The pruning of
    single passages follows the implementation in Anserini (Yang, Fang and Lin 2017).
    """
    own = list(scores) if any(scores) else [1.0] * len(passages)
    model: Weights = {}
    for passage, score in zip(passages, own, strict=True):
        kept = heaviest(passage, terms)
        total = sum(kept.values()) or 1.0
        for term, value in kept.items():
            model[term] = model.get(term, 0.0) + score * value / total
    return _mixed(query, _unit(heaviest(model, terms), 1), weight, 1)


def rocchio(
    query: TermWeights, passages: Sequence[TermWeights], terms: int, weight: float
) -> Weights:
    """Expand a query by Rocchio's formula, without negative feedback.

        expanded = (1 - weight) * q / |q| + weight * m / |m|,  m = mean of d / |d| over passages d

    |x| is the Euclidean norm. Only the `terms` heaviest terms of m are kept. Source: Rocchio 1971.
    """
    mean: Weights = {}
    for passage in passages:
        for term, value in _unit(passage, 2).items():
            mean[term] = mean.get(term, 0.0) + value / len(passages)
    return _mixed(query, _unit(heaviest(mean, terms), 2), weight, 2)


def bo1(
    query: TermWeights,
    passages: Sequence[TermWeights],
    statistics: CollectionTerms,
    terms: int,
    weight: float,
) -> Weights:
    """Expand a query by divergence from randomness with Bose-Einstein statistics, Bo1.

        w(t) = tf_x * log2((1 + f) / f) + log2(1 + f),  f = cf / N
        expanded(t) = (1 - weight) * q(t) / max q + weight * w(t) / w_max

    tf_x is the frequency of t in all passages together, cf the number of occurrences of t in the
    collection, and N the number of passages of the collection. w_max is w for the largest tf_x,
    with f = tf_x / N. A term that occurs in only one of several passages is left out.

    statistics: statistics of all terms of the passages.
    terms:      maximum number of terms that are taken from the passages: those with the largest w.
    weight:     share of these terms in the expanded query, from 0 to 1.

    Source: Amati 2003, chapter 6.
    """
    number = max(1, statistics.passages)
    counts = _counts(passages)

    def informative(count: float, occurrences: float) -> float:
        f = occurrences / number
        return count * log2((1 + f) / f) + log2(1 + f)

    found = {t: informative(n, max(n, statistics.occurrences[t])) for t, n in counts.items()}
    most = max(counts.values(), default=1.0)
    best = informative(most, most)
    return _added(query, {t: value / best for t, value in found.items()}, terms, weight)


def kl(
    query: TermWeights,
    passages: Sequence[TermWeights],
    statistics: CollectionTerms,
    terms: int,
    weight: float,
) -> Weights:
    """Expand a query by the Kullback-Leibler divergence of the passages from the collection.

        w(t) = (tf_x / l_x) * log2((tf_x / l_x) / (cf / C)), 0 if negative
        expanded(t) = (1 - weight) * q(t) / max q + weight * w(t) / max w

    l_x is the number of terms of all passages together, and C is the number of terms of the
    collection. `bo1` explains the other symbols and the arguments. Source: Carpineto et al. 2001.
    """
    length = sum(sum(passage.values()) for passage in passages) or 1.0
    total = max(1, statistics.total_length)
    kept = {}
    for term, count in _counts(passages).items():
        ratio = count * total / (length * max(count, statistics.occurrences[term]))
        if ratio > 1:  # Exact for frequencies: a rounding error would become the largest weight.
            kept[term] = count / length * log2(ratio)
    best = max(kept.values(), default=1.0)
    return _added(query, {t: value / best for t, value in kept.items()}, terms, weight)


def heaviest(weights: TermWeights, terms: int) -> Weights:
    """Return the `terms` terms with the largest weights above 0.

    Of terms with equal weights, the alphabetically first ones are returned.
    """
    ordered = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return {term: value for term, value in ordered[:terms] if value > 0}


def _counts(passages: Sequence[TermWeights]) -> Weights:
    """Return term -> its frequency in all passages together.

    Leaves out terms that occur in only one of several passages.
    """
    counts: Weights = {}
    containing: dict[str, int] = {}
    for passage in passages:
        for term, count in passage.items():
            counts[term] = counts.get(term, 0.0) + count
            containing[term] = containing.get(term, 0) + 1
    least = min(LEAST_PASSAGES, len(passages))
    return {term: count for term, count in counts.items() if containing[term] >= least}


def _added(query: TermWeights, found: TermWeights, terms: int, weight: float) -> Weights:
    """Return (1 - weight) * query / max(query) + weight * the `terms` heaviest of `found`.

    The result is scaled to the sum of the query's weights.
    """
    most = max(query.values(), default=1.0)
    own = {term: value / most for term, value in query.items()}
    return _scaled(_sum(own, heaviest(found, terms), weight), sum(query.values()))


def _mixed(query: TermWeights, added: Mapping[str, float], weight: float, norm: int) -> Weights:
    """Return (1 - weight) * query / |query| + weight * added, scaled to the query's sum.

    norm: the norm |query|; see `_unit`.
    """
    return _scaled(_sum(_unit(query, norm), added, weight), sum(query.values()))


def _sum(one: TermWeights, other: TermWeights, weight: float) -> Weights:
    found = {term: (1 - weight) * value for term, value in one.items()}
    for term, value in other.items():
        found[term] = found.get(term, 0.0) + weight * value
    return {term: value for term, value in found.items() if value > 0}


def _unit(weights: TermWeights, norm: int) -> Weights:
    """Return weights divided by their sum (norm 1) or by their Euclidean norm (norm 2)."""
    values = weights.values()
    length = sum(values) if norm == 1 else sqrt(sum(value * value for value in values))
    return {term: value / (length or 1.0) for term, value in weights.items()}


def _scaled(weights: Weights, total: float) -> Weights:
    """Return weights multiplied so that their sum is `total`."""
    factor = total / (sum(weights.values()) or 1.0)
    return {term: value * factor for term, value in weights.items()}
