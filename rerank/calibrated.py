"""Scores as probabilities, so that a threshold means something.

Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999): the probability
that a hit is relevant is 1 / (1 + exp(-(slope * score + intercept))), fitted to judged hits. The
order does not change.
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
    """From a reranker's score to the probability that the hit is relevant (Platt, 1999).

    p = 1 / (1 + exp(-(slope * score + intercept))). `twindex calibrate` fits it to judgements.
    """

    slope: Annotated[float, Bounds(0, 1e30, above=True)]
    intercept: Score


def probability(score: float, calibration: CalibrationConfig) -> float:
    """In (0, 1), for a score of any size."""
    return logistic(calibration.slope * score + calibration.intercept)


class Calibrated:
    """A reranker whose scores become probabilities; its own stay in the reasons, as `raw`."""

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
