"""Explains hits: contributions of legs and terms to a score, and the heaviest terms of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...core import Contribution, LegScore, Representation, TermWeight, TopTerms
from ...index import ExplainingView
from ...index.protocol import heaviest_first
from ..encoding.queries import QueryEncoder
from ..request import Fusion
from .fusion import list_factors, normalize
from .results import Leg, LegPositions

TERMS = 20
"""Maximum number of terms returned for a query or a passage, those with the highest weights."""

Scaled = Mapping[str, tuple[NDArray[np.float64], float]]
"""Leg -> (scaled scores of the leg's m documents, float64 [m]; factor).

The fused score of a document is the sum of scaled score x factor over the legs."""


def scaled_scores(legs: Sequence[Leg], fusion: Fusion) -> Scaled:
    """Return the scaled scores and the factor of each leg.

    If there is only one leg, its scores are unchanged and its factor is 1.
    """
    if len(legs) == 1:
        return {legs[0].request.name: (legs[0].result.scores.astype(np.float64), 1.0)}
    factors = list_factors([leg.request.weight for leg in legs], fusion)
    return {
        leg.request.name: (normalize(leg.result.scores, fusion), factor)
        for leg, factor in zip(legs, factors, strict=True)
    }


def leg_scores(positions: LegPositions, scaled: Scaled | None) -> dict[str, LegScore]:
    """Return leg -> rank and score of a document in the leg.

    positions: the legs that returned the document, with its position in each leg's list.
    scaled:    the result of `scaled_scores`. If given, each LegScore also has the leg's
               contribution to the fused score.
    """
    found = {}
    for leg, at in positions:
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


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """The explanation of one hit.

    contributions: leg -> contribution of each query term to the hit's score in this leg, largest
                   first. Dense legs are left out.
    terms:         sparse leg -> terms with the highest weights in the hit's best passage.
    """

    contributions: Mapping[str, Sequence[Contribution]]
    terms: Mapping[str, TopTerms]


def explain_hits(
    view: ExplainingView, queries: QueryEncoder, hits: Sequence[LegPositions]
) -> Iterator[HitExplanation]:
    """Yield the explanation of each hit. Each explanation may take milliseconds.

    hits: for each hit, the legs that returned the hit, with its position in each leg's list.
    """
    legs = {leg.request.name: leg for positions in hits for leg, _ in positions}
    contributions, terms = {}, {}
    for name, leg in legs.items():
        at = [position for positions in hits for one, position in positions if one is leg]
        passages = leg.result.passages[at]
        contributions[name] = view.explain(name, leg.query, passages)
        if queries.is_sparse(name):
            terms[name] = view.terms(name, passages)
    for positions in hits:
        names = [leg.request.name for leg, _ in positions]
        added = {name: next(contributions[name]) for name in names}
        yield HitExplanation(
            {
                name: _sorted_contributions(queries, name, found)
                for name, found in added.items()
                if found
            },
            {name: _top_terms(queries, name, next(terms[name])) for name in names if name in terms},
        )


def _sorted_contributions(
    queries: QueryEncoder, leg: str, found: Sequence[Contribution]
) -> list[Contribution]:
    named = [replace(term, term=queries.name(leg, term.term)) for term in found]
    return sorted(named, key=lambda term: (-term.score, term.term))


def query_terms(
    queries: QueryEncoder, encoded: Mapping[str, Representation]
) -> dict[str, TopTerms]:
    """Return sparse leg -> terms with the highest weights in the query.

    encoded: leg -> representation of the query. If a leg has several vectors for the query, the
             weight of a term is its highest weight in any of them.
    """
    return {
        leg: _top_terms(queries, leg, _query_weights(query))
        for leg, query in encoded.items()
        if queries.is_sparse(leg)
    }


def _query_weights(query: Representation) -> list[TermWeight]:
    greatest: dict[int, float] = {}
    if query.sparse is not None:
        for index, weight in zip(query.sparse.indices, query.sparse.data, strict=True):
            if weight > greatest.get(index, 0.0):
                greatest[index] = float(weight)
    return heaviest_first(TermWeight(str(index), weight) for index, weight in greatest.items())


def _top_terms(queries: QueryEncoder, leg: str, terms: Sequence[TermWeight]) -> TopTerms:
    top = [replace(term, term=queries.name(leg, term.term)) for term in terms[:TERMS]]
    return TopTerms(top, len(terms))
