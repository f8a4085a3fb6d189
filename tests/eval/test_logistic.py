"""Logistic regression finds the optimum that a search without derivatives finds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.eval.logistic import fit_logistic, logistic


def loss(at, features, targets, weights, penalty):
    logits = features @ at[:-1] + at[-1]
    own = np.logaddexp(0, logits) - targets * logits
    return float(weights @ own + penalty / 2 * (at[:-1] ** 2).sum())


def pattern_search(features, targets, weights, penalty):
    """Minimise by steps along the axes, which become smaller."""
    at, step = np.zeros(features.shape[1] + 1), 1.0
    best = loss(at, features, targets, weights, penalty)
    while step > 1e-6:
        moves = [at + sign * step * axis for axis in np.eye(len(at)) for sign in (1, -1)]
        values = [loss(move, features, targets, weights, penalty) for move in moves]
        if min(values) < best - 1e-13:
            best, at = min(values), moves[int(np.argmin(values))]
        else:
            step /= 2
    return at, best


@given(st.integers(0, 1_000), st.sampled_from([0.1, 1.0, 10.0]))
def test_optimum(seed, penalty):
    random = np.random.default_rng(seed)
    features = random.standard_normal((25, 2))
    targets = (features[:, 0] + random.standard_normal(25) > 0).astype(float)
    weights = random.uniform(0.2, 3, 25)
    found = fit_logistic(features, targets, weights, penalty)
    at, best = pattern_search(features, targets, weights, penalty)
    assert loss(found, features, targets, weights, penalty) <= best + 1e-9
    assert found == pytest.approx(at, abs=2e-3)


def test_weights_count_as_repetitions():
    random = np.random.default_rng(3)
    features, targets = random.standard_normal((9, 2)), np.array([0, 1, 0] * 3, float)
    counts = np.array([1, 2, 3] * 3)
    twice = fit_logistic(np.repeat(features, counts, 0), np.repeat(targets, counts), None, 0.5)
    assert fit_logistic(features, targets, counts.astype(float), 0.5) == pytest.approx(twice)


def test_separable_examples_have_finite_weights():
    features = np.array([[0.0], [1.0], [5.0], [6.0]])
    found = fit_logistic(features, np.array([0.0, 0, 1, 1]), penalty=1.0)
    assert np.isfinite(found).all()
    assert 0 < found[0] < 10


def test_logistic_does_not_overflow():
    assert logistic(np.array([-1e4, 0.0, 1e4])) == pytest.approx([0, 0.5, 1])
