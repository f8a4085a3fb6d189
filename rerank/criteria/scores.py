"""Criteria by which a model scores documents, and the weighted sum of a document's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol import Placed

RELEVANCE = "relevance"
RELEVANCE_MAXIMUM = 10.0


@dataclass(frozen=True, slots=True)
class Criterion:
    """A criterion by which the model scores a document, from 0 to `maximum`.

    weight: factor of the score in the weighted sum; relevance has the factor 1.
    """

    name: str
    definition: str
    maximum: float = 5.0
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Criteria:
    """The criteria of a query, in addition to relevance.

    items:  the criteria, without relevance.
    tie:    name of the criterion that decides between equal sums; None: the original order decides.
    scored: False if only relevance is scored. Then `items` explain to the model what relevance
            means for the query.
    """

    items: tuple[Criterion, ...] = ()
    tie: str | None = None
    scored: bool = True

    @property
    def scored_criteria(self) -> tuple[Criterion, ...]:
        """Return the criteria that the model scores, relevance first."""
        relevance = Criterion(RELEVANCE, "", RELEVANCE_MAXIMUM, 1.0)
        return (relevance, *(self.items if self.scored else ()))


Scores = Mapping[str, float]
"""Scores of one document: name of a criterion -> score. Includes "relevance"."""


def total(scores: Scores, criteria: Criteria) -> float:
    """Return the weighted sum of a document's scores: relevance + sum of weight x score."""
    return sum(one.weight * scores[one.name] for one in criteria.scored_criteria)


def order(
    judged: Sequence[Scores | None], batches: Sequence[int], criteria: Criteria, discard: float
) -> list[Placed]:
    """Return the documents sorted by their totals, descending; see `CriteriaReranker`.

    judged:  scores of each document; None for a document that was not judged.
    batches: for each document, the number of the batch in which it was judged.
    discard: minimum relevance. Documents with less relevance follow the others, sorted by their
             relevance.
    """
    kept, discarded, rest = [], [], []
    for i, scores in enumerate(judged):
        if scores is None:
            rest.append(Placed(i, judged=False))
            continue
        relevance, whole = scores[RELEVANCE], total(scores, criteria)
        reasons: dict[str, Any] = {
            "relevance": relevance,
            "criteria": {name: score for name, score in scores.items() if name != RELEVANCE},
            "weights": {one.name: one.weight for one in criteria.scored_criteria[1:]},
            "total": whole,
            "batch": batches[i],
        }
        tie = 0.0 if criteria.tie is None else scores.get(criteria.tie, 0.0)
        if relevance < discard:
            reasons["discarded"] = f"relevance {relevance:g} is below {discard:g} (`discard`)"
            discarded.append((-relevance, i, Placed(i, relevance, reasons)))
        else:
            kept.append((-whole, -tie, i, Placed(i, whole, reasons)))
    kept.sort(key=lambda one: one[:3])
    discarded.sort(key=lambda one: one[:2])
    return [*(one[3] for one in kept), *(one[2] for one in discarded), *rest]
