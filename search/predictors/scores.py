"""Predictors that read the raw scores of one leg, best first.

    nqc   = std(s_1..s_100) / |mean|                                  Shtok et al. 2012
    smv   = mean over s_1..s_100 of |s * ln(s / their mean)| / |mean| Tao and Wu 2014
    wig   = (mean(s_1..s_5) - mean) / sqrt(|q|)                       Zhou and Croft 2007
    sigma_max  = max over n >= 2 of std(s_1..s_n)                     Pérez-Iglesias and Araujo 2010
    sigma_half = std(scores >= s_1 / 2) / sqrt(|q|)                   Cummins et al. 2011

`mean` is the mean of the whole list. The papers use the score of the collection as one document;
other implementations use the mean of the list, as here. |q| is the number of words of the query.
Standard deviations are those of a population. Scores must be raw: a fusion method such as minmax
scales every list to the same range. An empty list has the value 0 in all predictors.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import NDArray

FIRST = 10
"""Number of scores that `mean_score` reads."""

LISTED = 100
"""Number of scores that `nqc` and `smv` read."""

TOP = 5
"""Number of scores that `wig` compares with the list."""

Scores = NDArray[np.float64]


def gap(scores: Scores) -> float:
    """Return (s_1 - s_2) / |s_1|; 1 for a list of one document, 0 if the first score is 0."""
    if len(scores) == 0 or scores[0] == 0:
        return 0.0
    return 1.0 if len(scores) == 1 else float((scores[0] - scores[1]) / abs(scores[0]))


def nqc(scores: Scores) -> float:
    """Return the normalised query commitment; see the module."""
    return _ratio(float(scores[:LISTED].std()), float(scores.mean())) if len(scores) else 0.0


def smv(scores: Scores) -> float:
    """Return score magnitude and variance; see the module.

    The value is 0 if one of the first 100 scores is 0 or below.
    """
    top = scores[:LISTED]
    if len(top) == 0 or top.min() <= 0:
        return 0.0
    return _ratio(float(np.abs(top * np.log(top / top.mean())).mean()), float(scores.mean()))


def wig(scores: Scores, words: int) -> float:
    """Return the weighted information gain; see the module. words: length |q| of the query."""
    if len(scores) == 0:
        return 0.0
    return float(scores[:TOP].mean() - scores.mean()) / sqrt(max(1, words))


def sigma_max(scores: Scores) -> float:
    """Return the largest of the standard deviations of the first n scores, for n >= 2."""
    if len(scores) < 2:
        return 0.0
    counts = np.arange(1, len(scores) + 1)
    moved = scores - scores[0]  # Variances of large numbers would cancel.
    means, squares = np.cumsum(moved) / counts, np.cumsum(moved**2) / counts
    return float(np.sqrt(np.maximum(squares - means**2, 0.0)).max())


def sigma_half(scores: Scores, words: int) -> float:
    """Return sigma_half of the scores that are at least half of the first score; see the module.

    words: length |q| of the query.
    """
    if len(scores) == 0:
        return 0.0
    high = scores[scores >= scores[0] / 2] if scores[0] > 0 else scores
    return float(high.std()) / sqrt(max(1, words))


def cohesion(vectors: NDArray[np.float32]) -> float:
    """Return the mean cosine of all pairs of m vectors, float32 [m, d]; 1 for fewer than two.

    A zero vector has the cosine 0 with every vector. Source: coherence of the top documents, as in
    Diaz 2007 and Arabzadeh et al. 2021.
    """
    m = len(vectors)
    if m < 2:
        return 1.0
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.where(norms > 0, norms, 1)
    total = float(np.square(unit.sum(axis=0, dtype=np.float64)).sum())
    return (total - float(np.square(unit).sum(dtype=np.float64))) / (m * (m - 1))


def predict(scores: NDArray[np.floating], words: int) -> Mapping[str, float]:
    """Return the value of each predictor in `names.OF_LEG`, without "cohesion".

    scores: raw scores of the list of one leg, best first.
    words:  number of words of the query.
    """
    found = scores.astype(np.float64)
    return {
        "top_score": float(found[0]) if len(found) else 0.0,
        "gap": gap(found),
        "mean_score": float(found[:FIRST].mean()) if len(found) else 0.0,
        "nqc": nqc(found),
        "smv": smv(found),
        "wig": wig(found, words),
        "sigma_max": sigma_max(found),
        "sigma_half": sigma_half(found, words),
    }


def _ratio(value: float, mean: float) -> float:
    return value / abs(mean) if mean else 0.0
