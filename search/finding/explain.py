"""Why a search found what it did: what each leg and each term added to a score, and the words of a
model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...core import Contribution, LegScore, Representation, TermWeight, TopTerms
from ...index import LegResult, Snapshot
from ...index.protocol import heaviest_first
from ..encoding.queries import QueryEncoder
from ..request import Fusion
from .found import Leg, Places
from .fusion import normalize, shares

TERMS = 20
"""Terms told of a query and of a passage."""

Found = Mapping[str, tuple[LegResult, int]]
"""Leg -> its result, and where in it the document is."""


Scaled = Mapping[str, tuple[NDArray[np.float64], float]]
"""Leg -> float64 [m], the scores of its list as the fusion adds them up, and the factor of that."""


def scaled_scores(legs: Sequence[Leg], fusion: Fusion) -> Scaled:
    """How the fused scores came from the lists of `legs`; a leg that ran alone is not scaled."""
    if len(legs) == 1:
        return {legs[0].request.name: (legs[0].result.scores.astype(np.float64), 1.0)}
    factors = shares([leg.request.weight for leg in legs], fusion)
    return {
        leg.request.name: (normalize(leg.result.scores, fusion), factor)
        for leg, factor in zip(legs, factors, strict=True)
    }


def leg_scores(places: Places, scaled: Scaled | None) -> dict[str, LegScore]:
    """Leg -> where it put a document; with `scaled`, also what it added to the fused score."""
    found = {}
    for leg, at in places:
        name = leg.request.name
        score = LegScore(int(leg.ranks[at]), float(leg.result.scores[at]))
        if scaled is not None:
            values, factor = scaled[name]
            value = float(values[at])
            score = replace(
                score, scaled=value, weight=leg.request.weight, contribution=value * factor
            )
        found[name] = score
    return found


def contributions(
    snapshot: Snapshot, queries: QueryEncoder, encoded: Mapping[str, Representation], found: Found
) -> dict[str, Sequence[Contribution]]:
    """By leg that can say so: the contribution of each term to a score, largest first.

    encoded: leg -> the query that it searched with.
    """
    explained: dict[str, Sequence[Contribution]] = {}
    for leg, (result, position) in found.items():
        terms = snapshot.explain(leg, encoded[leg], result, position)
        if terms:
            named = [replace(term, term=queries.name(leg, term.term)) for term in terms]
            explained[leg] = sorted(named, key=lambda term: (-term.score, term.term))
    return explained


def passage_terms(snapshot: Snapshot, queries: QueryEncoder, found: Found) -> dict[str, TopTerms]:
    """By sparse leg: the heaviest terms of the document's best passage there."""
    return {
        leg: _top(queries, leg, snapshot.terms(leg, result, position))
        for leg, (result, position) in found.items()
        if queries.is_sparse(leg)
    }


def query_terms(
    queries: QueryEncoder, encoded: Mapping[str, Representation]
) -> dict[str, TopTerms]:
    """By sparse leg: the heaviest terms of the query; of several vectors the greatest weight."""
    return {
        leg: _top(queries, leg, _weights(query))
        for leg, query in encoded.items()
        if queries.is_sparse(leg)
    }


def _weights(query: Representation) -> list[TermWeight]:
    greatest: dict[int, float] = {}
    if query.sparse is not None:
        for index, weight in zip(query.sparse.indices, query.sparse.data, strict=True):
            if weight > greatest.get(index, 0.0):
                greatest[index] = float(weight)
    return heaviest_first(TermWeight(str(index), weight) for index, weight in greatest.items())


def _top(queries: QueryEncoder, leg: str, terms: Sequence[TermWeight]) -> TopTerms:
    top = [replace(term, term=queries.name(leg, term.term)) for term in terms[:TERMS]]
    return TopTerms(top, len(terms))
