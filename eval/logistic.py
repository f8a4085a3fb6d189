"""Logistic regression by Newton's method, for calibrations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS = 100
_CONVERGED = 1e-10
_RIDGE = 1e-9


def fit_logistic(
    features: Floats, targets: Floats, sample_weights: Floats | None = None, penalty: float = 0.0
) -> Floats:
    """Return the k weights and the bias that minimise the loss of n examples: float64 [k + 1].

        loss = sum of weight_i * (log(1 + exp(z_i)) - target_i * z_i) + penalty / 2 * |weights|^2
        z_i  = weights . features_i + bias

    features:       float64 [n, k].
    targets:        probabilities from 0 to 1: float64 [n].
    sample_weights: how often each example counts: float64 [n]; None: once.
    penalty:        strength of the L2 regularisation. The bias is not regularised.

    The algorithm is Newton's method with step halving, as in Lin, Lin and Weng, "A note on Platt's
    probabilistic outputs for support vector machines" (2007).
    """
    n, k = features.shape
    counts = np.ones(n) if sample_weights is None else sample_weights
    design = np.column_stack([features, np.ones(n)])
    ridge = np.append(np.full(k, penalty), 0.0)
    mean = float(counts @ targets) / float(counts.sum())
    at = np.zeros(k + 1)
    at[-1] = np.log(mean / (1 - mean)) if 0 < mean < 1 else 0.0

    def loss(weights: Floats) -> float:
        logits = design @ weights
        return float(counts @ (np.logaddexp(0, logits) - targets * logits) + ridge @ weights**2 / 2)

    least = loss(at)
    for _ in range(_STEPS):
        guess = logistic(design @ at)
        gradient = design.T @ (counts * (guess - targets)) + ridge * at
        curvature = counts * guess * (1 - guess)
        hessian = (design.T * curvature) @ design + np.diag(ridge) + _RIDGE * np.eye(k + 1)
        step = np.linalg.solve(hessian, gradient)
        decrease = float(gradient @ step)
        if decrease < _CONVERGED:
            break
        length = 1.0
        while (now := loss(at - length * step)) > least - 1e-4 * length * decrease:
            length /= 2
            if length < _CONVERGED:
                return at
        at, least = at - length * step, now
    return at


def logistic(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-logit)) for each logit, without overflow."""
    small = np.exp(-np.abs(logits))
    probabilities: Floats = np.where(logits >= 0, 1, small) / (1 + small)
    return probabilities
