"""Criteria, and what scores by them add up to: in code, with decimals, not by the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol import Placed

RELEVANCE = "relevance"
RELEVANCE_MAXIMUM = 10.0


@dataclass(frozen=True, slots=True)
class Criterion:
    """Scored from 0 to `maximum`; a point counts `weight` points of relevance."""

    name: str
    definition: str
    maximum: float = 5.0
    weight: float = 0.5


@dataclass(frozen=True, slots=True)
class Criteria:
    """What documents are scored by besides relevance.

    tie:    name of the criterion that decides between equal totals, if any.
    scored: False where the criteria only tell the model what relevance means for the query, and
            relevance alone is scored.
    """

    items: tuple[Criterion, ...] = ()
    tie: str | None = None
    scored: bool = True

    @property
    def asked(self) -> tuple[Criterion, ...]:
        """Those that get a score, relevance first."""
        relevance = Criterion(RELEVANCE, "", RELEVANCE_MAXIMUM, 1.0)
        return (relevance, *(self.items if self.scored else ()))


Scores = Mapping[str, float]
"""Of one document: name of a criterion -> score; "relevance" is one of them."""


def total(scores: Scores, criteria: Criteria) -> float:
    """Relevance + sum of weight x score."""
    return sum(one.weight * scores[one.name] for one in criteria.asked)


def order(
    judged: Sequence[Scores | None], batches: Sequence[int], criteria: Criteria, discard: float
) -> list[Placed]:
    """Documents by their totals; see `CriteriaReranker`.

    judged:  of each document, None where there are no scores.
    batches: number of the batch in which each was judged.
    discard: documents of less relevance come after all others, by relevance alone.
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
            "weights": {one.name: one.weight for one in criteria.asked[1:]},
            "total": whole,
            "batch": batches[i],
        }
        tie = 0.0 if criteria.tie is None else scores.get(criteria.tie, 0.0)
        if relevance < discard:
            reasons["discarded"] = f"relevance {relevance:g} is less than {discard:g}"
            discarded.append((-relevance, i, Placed(i, relevance, reasons)))
        else:
            kept.append((-whole, -tie, i, Placed(i, whole, reasons)))
    kept.sort(key=lambda one: one[:3])
    discarded.sort(key=lambda one: one[:2])
    return [*(one[3] for one in kept), *(one[2] for one in discarded), *rest]
