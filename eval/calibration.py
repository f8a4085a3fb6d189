"""Converts a reranker's scores to probabilities of relevance, by a fit to judged hits.

The method is Platt scaling (Platt, "Probabilistic outputs for support vector machines", 1999). The
probability that a hit is relevant is 1 / (1 + exp(-(slope * score + intercept))). Slope and
intercept maximise the likelihood of the judgements. Instead of 1 and 0, the fit uses Platt's
smoothed targets: (r + 1) / (r + 2) for the r relevant hits, and 1 / (n + 2) for the n other hits.
With these targets, slope and intercept are finite even if the scores separate the hits perfectly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core import InvalidInputError
from ..rerank import CalibrationConfig
from .logistic import fit_logistic, logistic

BINS = 10
"""Number of equally wide bins of probabilities, for the calibration error."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class JudgedScores:
    """A reranker's scores and the judgements of n hits of several queries.

    scores:   the reranker's scores, float64 [n].
    relevant: True for relevant hits, bool [n].
    queries:  id of the query of each hit, n ids.
    """

    scores: Floats
    relevant: NDArray[np.bool_]
    queries: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bin:
    """Statistics of the hits whose predicted probability is in [low, low + 1 / BINS).

    The last bin also includes probability 1. With perfect calibration, `probability` equals
    `relevant`.

    low:         lower bound of the bin.
    hits:        number of hits in the bin.
    probability: mean predicted probability of these hits.
    relevant:    share of relevant hits among these hits.
    """

    low: float
    hits: int
    probability: float
    relevant: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of the difference between predicted probabilities and judgements. Lower is better.

    log_loss: mean of -ln(p) over the hits. p is the predicted probability of relevance for a
              relevant hit, and 1 minus this probability for any other hit.
    brier:    mean squared difference between the predicted probability and the judgement (Brier,
              1950). The judgement is 1 for a relevant hit and 0 for any other hit.
    error:    expected calibration error (Naeini et al., 2015): the difference between the mean
              probability and the share of relevant hits in a bin, averaged over the bins and
              weighted by their numbers of hits.
    bins:     the bins that have hits.
    """

    log_loss: float
    brier: float
    error: float
    bins: Sequence[Bin]


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """A calibration fitted to all hits, and its expected quality.

    `constant` and `after` are measured by cross-validation: the queries are divided into `folds`
    parts, and each part is measured with a fit to the other parts.

    queries, hits, relevant: number of queries, of hits and of relevant hits.
    before:   quality of the scores before calibration. If a score is outside [0, 1], all scores are
              first converted by 1 / (1 + exp(-score)).
    constant: quality of a baseline. For all hits of a part, it predicts the same probability, which
              is the smoothed share of relevant hits in the other parts.
    after:    quality of the calibrated scores.
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
    """Return the calibration that fits the scores of judged hits best.

    scores:   a reranker's scores of n hits: float64 [n].
    relevant: True for relevant hits: bool [n].

    Raises InvalidInputError if all hits or no hits are relevant, if a score is not finite, or if
    hits with higher scores are not relevant more often.
    """
    if scores.shape != relevant.shape or scores.ndim != 1:
        raise InvalidInputError(
            f"must be one-dimensional with one judgement for each score, got shape "
            f"{relevant.shape} for scores of shape {scores.shape}",
            field="relevant",
        )
    if not np.isfinite(scores).all():
        bad = scores[~np.isfinite(scores)][0]
        raise InvalidInputError(f"must be finite numbers, got {bad}", field="scores")
    if not relevant.any() or relevant.all():
        kind = "not relevant" if relevant.any() else "relevant"
        raise InvalidInputError(
            f"none of the {len(scores)} hits is {kind}; a calibration requires both relevant hits "
            "and hits that are not relevant, so use more queries or candidates",
            field="relevant",
        )
    slope, intercept = _platt(scores, relevant)
    if not 0 < slope < math.inf or not math.isfinite(intercept):
        raise InvalidInputError(
            "cannot be calibrated, because hits with higher scores are not relevant more often "
            "than other hits; use another reranker",
            field="scores",
        )
    return CalibrationConfig(slope=slope, intercept=intercept)


def quality(probabilities: Floats, relevant: NDArray[np.bool_]) -> Quality:
    """Compare predicted probabilities of relevance with judgements.

    probabilities: predictions for n >= 1 hits: float64 [n].
    relevant:      True for relevant hits: bool [n].
    """
    likely = np.where(relevant, probabilities, 1 - probabilities)
    bin_of = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    bins = []
    for number in range(BINS):
        members = bin_of == number
        if members.any():
            mean = float(probabilities[members].mean())
            share = float(relevant[members].mean())
            bins.append(Bin(number / BINS, int(members.sum()), mean, share))
    return Quality(
        log_loss=float(-np.log(np.maximum(likely, np.finfo(np.float64).tiny)).mean()),
        brier=float(((probabilities - relevant) ** 2).mean()),
        error=sum(one.hits * abs(one.probability - one.relevant) for one in bins) / len(relevant),
        bins=bins,
    )


def calibrate(judged: JudgedScores, *, folds: int = 5, seed: int = 0) -> CalibrationReport:
    """Fit a calibration to all hits, and measure its quality by cross-validation over queries.

    folds: number of parts into which the queries are divided at random. If there are fewer queries
           than `folds`, each query is a part.
    seed:  seed of the random division.

    Raises the same errors as `fit`, and InvalidInputError for fewer than two queries or folds.
    """
    scores, relevant = judged.scores, judged.relevant
    names = sorted(set(judged.queries))
    if len(names) < 2:
        message = f"a calibration requires hits of at least 2 queries, got {len(names)}"
        raise InvalidInputError(message, field="folds")
    folds = min(folds, len(names))
    if folds < 2:
        raise InvalidInputError(f"must be at least 2, got {folds}", field="folds")
    calibration = fit(scores, relevant)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = dict(zip(names, (order % folds).tolist(), strict=True))
    part = np.array([fold_of[query] for query in judged.queries])
    after, constant = np.empty(len(scores)), np.empty(len(scores))
    for fold in range(folds):
        held, seen = part == fold, part != fold
        slope, intercept = _platt(scores[seen], relevant[seen])
        after[held] = logistic(slope * scores[held] + intercept)
        constant[held] = (relevant[seen].sum() + 1) / (seen.sum() + 2)
    fractions = bool(((scores >= 0) & (scores <= 1)).all())
    return CalibrationReport(
        calibration,
        queries=len(names),
        hits=len(scores),
        relevant=int(relevant.sum()),
        folds=folds,
        before=quality(scores if fractions else logistic(scores), relevant),
        constant=quality(constant, relevant),
        after=quality(after, relevant),
    )


def _platt(scores: Floats, relevant: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and intercept of Platt scaling.

    The fit runs on scores scaled to mean 0 and standard deviation 1.
    """
    yes = int(relevant.sum())
    no = len(relevant) - yes
    targets = np.where(relevant, (yes + 1) / (yes + 2), 1 / (no + 2))
    center, scale = float(scores.mean()), float(scores.std())
    if not scale > 0:
        return 0.0, math.log((yes + 1) / (no + 1))
    features = ((scores - center) / scale)[:, None]
    weights = fit_logistic(features, targets)
    slope = float(weights[0]) / scale
    return slope, float(weights[1]) - slope * center
