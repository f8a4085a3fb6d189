"""Accuracy at coverage: how right the answers are if only the most confident ones are given.

Questions with equal confidence are answered in a random order. Every result is the expected value
over these orders, so the order of the questions never matters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError

Floats = NDArray[np.float64]

RATES = np.linspace(0, 1, 11)[:-1]
"""Abstention rates of `nauc`: 0 to 0.9."""


@dataclass(frozen=True, slots=True)
class Point:
    """The answers whose confidence is at least a threshold.

    threshold: the smallest confidence among these answers.
    coverage:  share of the questions that are answered.
    accuracy:  mean value of these answers.
    """

    threshold: float
    coverage: float
    accuracy: float


def accuracy_curve(values: Floats, confidence: Floats, weights: Floats | None = None) -> Floats:
    """Return the accuracy of the k most confident answers, for k = 1 to n: float64 [n].

    values:     correctness of each answer, from 0 to 1: float64 [n].
    confidence: float64 [n].
    weights:    how often each question counts: float64 [n]; None: once.
    """
    values, confidence, weights = _checked(values, confidence, weights)
    order = np.argsort(-confidence, kind="stable")
    values, confidence, weights = values[order], confidence[order], weights[order]
    # Equal confidence: each answer stands for the mean of its group.
    _, group = np.unique(-confidence, return_inverse=True)
    total = np.bincount(group, weights)
    mean = np.bincount(group, weights * values) / total
    share = (total / np.bincount(group))[group]
    curve: Floats = np.cumsum(mean[group] * share) / np.cumsum(share)
    return curve


def area_under_accuracy(values: Floats, confidence: Floats) -> float:
    """Return the mean of `accuracy_curve`: the area under accuracy over coverage.

    The area under the risk-coverage curve (AURC of Geifman, Uziel and El-Yaniv, 2019) is 1 minus
    this area.
    """
    return float(accuracy_curve(values, confidence).mean())


def accuracy_at(values: Floats, confidence: Floats, coverage: float) -> float:
    """Return the accuracy of the max(1, ceil(coverage * n)) most confident answers."""
    curve = accuracy_curve(values, confidence)
    # The rounding keeps 0.1 * 30 from becoming 4.
    return float(curve[max(1, math.ceil(round(coverage * len(curve), 9))) - 1])


def points(values: Floats, confidence: Floats, weights: Floats | None = None) -> list[Point]:
    """Return one point for each different confidence, from the highest down."""
    values, confidence, weights = _checked(values, confidence, weights)
    found = []
    total = float(weights.sum())
    for threshold in np.unique(confidence)[::-1].tolist():
        chosen = confidence >= threshold
        weight = float(weights[chosen].sum())
        right = float((weights[chosen] * values[chosen]).sum())
        found.append(Point(threshold, weight / total, right / weight))
    return found


def nauc(values: Floats, confidence: Floats) -> float:
    """Return the normalised area under the curve of accuracy over abstention rates; at most 1.

    (area - flat) / (oracle - flat). The curve has the abstention rates 0 to 0.9; `flat` is the area
    without abstention. `oracle` is the area if the confidence equals the values. 0 if the
    confidence is as good as random. NaN if all values are equal. See Gisserot-Boukhlef et al.,
    "Towards trustworthy reranking: a simple yet effective abstention mechanism" (2024); MTEB
    computes the same.
    """
    values, confidence, _ = _checked(values, confidence, None)
    flat = float(values.mean()) * float(RATES[-1] - RATES[0])
    ours, oracle = (_area_over_rates(values, by) for by in (confidence, values))
    if math.isclose(oracle, flat, rel_tol=0, abs_tol=1e-12):
        return math.nan
    return (ours - flat) / (oracle - flat)


def _area_over_rates(values: Floats, confidence: Floats) -> float:
    curve = accuracy_curve(values, confidence)
    n = len(curve)
    kept = [n - min(round(float(rate) * n), n - 1) for rate in RATES]
    return float(np.trapezoid([curve[count - 1] for count in kept], RATES))


def _checked(
    values: Floats, confidence: Floats, weights: Floats | None
) -> tuple[Floats, Floats, Floats]:
    """Return the arguments as arrays. Raises InvalidInputError for other shapes or no question."""
    values = np.asarray(values, np.float64)
    confidence = np.asarray(confidence, np.float64)
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if values.ndim != 1 or not len(values) or values.shape != confidence.shape:
        raise InvalidInputError(
            "must have one number for each question, and at least one question, got shape "
            f"{confidence.shape} for values of shape {values.shape}",
            field="confidence",
        )
    if not np.isfinite(confidence).all():
        raise InvalidInputError("must be finite numbers", field="confidence")
    return values, confidence, weights
