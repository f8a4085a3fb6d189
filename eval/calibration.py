"""From a reranker's scores to probabilities: fitted to judged hits, and how well that works.

Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999): the probability
that a hit is relevant is 1 / (1 + exp(-(slope * score + intercept))). The two numbers make the
judgements most likely; as Platt proposes these are taken for (r + 1) / (r + 2) of the r relevant
hits and 1 / (n + 2) of the n others instead of 1 and 0, so that hits which a score separates
perfectly give finite numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError
from ..rerank import CalibrationConfig

BINS = 10
"""Of probabilities, equally wide, for the calibration error."""

_STEPS = 100
_ENOUGH = 1e-10
_RIDGE = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedScores:
    """n hits of several queries: their scores [n], which of them are relevant [n], whose they are
    [n] (ids of queries)."""

    scores: Floats
    relevant: NDArray[np.bool_]
    queries: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bin:
    """Hits whose probability is in [low, low + 1 / BINS): how many, their mean probability, and the
    share of them that is relevant. These two are equal where probabilities are what they say."""

    low: float
    hits: int
    probability: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Of probabilities, against judgements; the lower the better.

    log_loss: mean of -ln(probability of what is the case).
    brier:    mean squared difference of probability and 1 or 0 (Brier, 1950).
    error:    expected calibration error (Naeini et al., 2015): the mean over hits of the difference
              between mean probability and share of relevant hits in their bin.
    """

    log_loss: float
    brier: float
    error: float
    bins: Sequence[Bin]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration fitted to all hits, and what to expect of it.

    before:   of the scores as they are where all are in [0, 1], else of 1 / (1 + exp(-score)).
    constant: of the share of relevant hits, given for every hit: what knows nothing of hits.
    after:    of calibrations. `constant` and `after` are each of queries that they were not fitted
              to, in `folds` parts.
    """

    calibration: CalibrationConfig
    queries: int
    hits: int
    relevant: int
    folds: int
    before: Quality
    constant: Quality
    after: Quality


def fit(scores: Floats, relevant: NDArray[np.bool_]) -> CalibrationConfig:
    """The calibration of judged scores [n]; `relevant` bool [n].

    Raises InvalidInputError where there are not both relevant and other hits, a score is not
    finite, or higher scores do not mean more relevance.
    """
    if scores.shape != relevant.shape or scores.ndim != 1:
        raise InvalidInputError("needs one judgement for each score", field="relevant")
    if not np.isfinite(scores).all():
        raise InvalidInputError("a score is not a finite number", field="scores")
    if not relevant.any() or relevant.all():
        kind = "not relevant" if relevant.any() else "relevant"
        raise InvalidInputError(f"none of the {len(scores)} hits is {kind}", field="relevant")
    slope, intercept = _platt(scores, relevant)
    if not 0 < slope < math.inf or not math.isfinite(intercept):
        raise InvalidInputError(
            "hits with higher scores are not more often relevant: there is nothing to calibrate",
            field="scores",
        )
    return CalibrationConfig(slope=slope, intercept=intercept)


def quality(probabilities: Floats, relevant: NDArray[np.bool_]) -> Quality:
    """Of probabilities [n], n >= 1."""
    likely = np.where(relevant, probabilities, 1 - probabilities)
    places = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    bins = []
    for place in range(BINS):
        members = places == place
        if members.any():
            mean = float(probabilities[members].mean())
            share = float(relevant[members].mean())
            bins.append(Bin(place / BINS, int(members.sum()), mean, share))
    return Quality(
        log_loss=float(-np.log(np.maximum(likely, np.finfo(np.float64).tiny)).mean()),
        brier=float(((probabilities - relevant) ** 2).mean()),
        error=sum(one.hits * abs(one.probability - one.relevant) for one in bins) / len(relevant),
        bins=bins,
    )


def calibrate(judged: JudgedScores, *, folds: int = 5, seed: int = 0) -> CalibrationReport:
    """Fit a calibration and measure such calibrations by queries that they have not seen.

    folds: parts that the queries are split into at random, at most as many as there are queries.
    Raises InvalidInputError as `fit` does, and for fewer than two queries.
    """
    scores, relevant = judged.scores, judged.relevant
    names = sorted(set(judged.queries))
    folds = min(folds, len(names))
    if folds < 2:
        raise InvalidInputError("needs two queries, and two parts of them, at least", field="folds")
    calibration = fit(scores, relevant)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = dict(zip(names, (order % folds).tolist(), strict=True))
    part = np.array([fold_of[query] for query in judged.queries])
    after, constant = np.empty(len(scores)), np.empty(len(scores))
    for fold in range(folds):
        held, seen = part == fold, part != fold
        slope, intercept = _platt(scores[seen], relevant[seen])
        after[held] = _logistic(slope * scores[held] + intercept)
        constant[held] = (relevant[seen].sum() + 1) / (seen.sum() + 2)
    fractions = bool(((scores >= 0) & (scores <= 1)).all())
    return CalibrationReport(
        calibration,
        queries=len(names),
        hits=len(scores),
        relevant=int(relevant.sum()),
        folds=folds,
        before=quality(scores if fractions else _logistic(scores), relevant),
        constant=quality(constant, relevant),
        after=quality(after, relevant),
    )


def _platt(scores: Floats, relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and intercept by Newton's method with halved steps (Lin, Lin and Weng, "A note on
    Platt's probabilistic outputs", 2007), on scores of mean 0 and deviation 1."""
    yes = int(relevant.sum())
    no = len(relevant) - yes
    targets = np.where(relevant, (yes + 1) / (yes + 2), 1 / (no + 2))
    center, scale = float(scores.mean()), float(scores.std())
    if not scale > 0:
        return 0.0, math.log((yes + 1) / (no + 1))
    known = np.column_stack([(scores - center) / scale, np.ones(len(scores))])
    found = np.array([0.0, math.log((yes + 1) / (no + 1))])

    def loss(at: Floats) -> float:
        logits = known @ at
        return float((np.logaddexp(0, logits) - targets * logits).sum())

    least = loss(found)
    for _ in range(_STEPS):
        guess = _logistic(known @ found)
        gradient = known.T @ (guess - targets)
        curvature = (known.T * (guess * (1 - guess))) @ known + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        promised = float(gradient @ step)
        if promised < _ENOUGH:
            break
        length = 1.0
        while (now := loss(found - length * step)) > least - 1e-4 * length * promised:
            length /= 2
            if length < _ENOUGH:
                break
        if length < _ENOUGH:
            break
        found, least = found - length * step, now
    slope = float(found[0]) / scale
    return slope, float(found[1]) - slope * center


def _logistic(logits: Floats) -> Floats:
    """1 / (1 + exp(-logit)), without overflow."""
    small = np.exp(-np.abs(logits))
    found: Floats = np.where(logits >= 0, 1, small) / (1 + small)
    return found
