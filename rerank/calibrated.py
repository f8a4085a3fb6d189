"""Calibration: converts the scores of a reranker to probabilities of relevance.

Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999): the probability
that a hit is relevant is 1 / (1 + exp(-(slope * score + intercept))). `twindex calibrate` fits
slope and intercept to relevance judgements. The order of the hits does not change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from ..ask.answers import logistic
from ..core import Config
from ..core.bounds import Bounds, Score
from .protocol import Budget, Needs, Placed, Reranked, Reranker, Task


class CalibrationConfig(Config):
    """Conversion of a reranker's score to the probability that the hit is relevant (Platt, 1999).

    The probability is 1 / (1 + exp(-(slope * score + intercept))). `twindex calibrate` fits slope
    and intercept to relevance judgements.
    """

    slope: Annotated[float, Bounds(0, 1e30, above=True)]
    intercept: Score


def probability(score: float, calibration: CalibrationConfig) -> float:
    """Return the probability, in (0, 1), that a hit with this reranker score is relevant."""
    return logistic(calibration.slope * score + calibration.intercept)


class Calibrated:
    """A reranker whose scores are converted to probabilities of relevance.

    The reasons of a hit (`Placed.reasons`) contain the original score as `raw`.
    """

    def __init__(self, reranker: Reranker, calibration: CalibrationConfig) -> None:
        self.kind = reranker.kind
        self._reranker = reranker
        self._calibration = calibration

    @property
    def needs(self) -> Needs:
        return self._reranker.needs

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return [
            replace(found, order=[self._calibrated(placed) for placed in found.order])
            for found in self._reranker.rerank(tasks, budget)
        ]

    def _calibrated(self, placed: Placed) -> Placed:
        if placed.score is None:
            return placed
        score = probability(placed.score, self._calibration)
        return replace(placed, score=score, reasons={**placed.reasons, "raw": placed.score})
