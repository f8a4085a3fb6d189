"""Calibration, compared with scipy's minimiser and with known probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from twindex.core import InvalidInputError
from twindex.eval.calibration import JudgedScores, _platt, calibrate, fit, quality
from twindex.rerank import CalibrationConfig
from twindex.rerank.calibrated import probability

from ..house import scaled


def reference(scores, relevant):
    yes, no = relevant.sum(), (~relevant).sum()
    targets = np.where(relevant, (yes + 1) / (yes + 2), 1 / (no + 2))
    scale = max(1e-12, scores.std())

    def loss(at):
        logits = at[0] * scores / scale + at[1]
        return (np.logaddexp(0, logits) - targets * logits).sum()

    options = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-10, "fatol": 1e-12}
    found = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options=options)
    return found.fun, lambda at: loss([at[0] * scale, at[1]])


@settings(max_examples=scaled(100), deadline=None)
@given(
    st.lists(st.tuples(st.floats(-8, 8), st.booleans()), min_size=2, max_size=30),
    st.sampled_from([1e-3, 1.0, 1e4]),
)
def test_platt_finds_the_minimum(rows, unit):
    scores = np.array([score * unit for score, _ in rows])
    relevant = np.array([good for _, good in rows])
    assume(scores.std() > 1e-6 * unit)
    least, loss = reference(scores, relevant)
    assert loss(_platt(scores, relevant)) <= least + 1e-6


def test_known_probabilities_are_recovered():
    numbers = np.random.default_rng(0)
    scores = numbers.normal(3, 2, 50_000)
    relevant = numbers.random(50_000) < 1 / (1 + np.exp(-(1.5 * scores - 6)))
    found = fit(scores, relevant)
    assert (found.slope, found.intercept) == pytest.approx((1.5, -6), rel=0.03)
    report = calibrate(JudgedScores(scores, relevant, [f"q{i % 100}" for i in range(50_000)]))
    assert report.after.error < 0.01 < 0.2 < report.before.error
    assert report.after.log_loss < report.constant.log_loss < report.before.log_loss
    assert report.after.brier < report.constant.brier
    assert (report.queries, report.hits, report.folds) == (100, 50_000, 5)
    assert report.relevant == relevant.sum()


@settings(deadline=None)
@given(st.floats(0.01, 100), st.floats(-100, 100))
def test_scale_of_scores_does_not_matter(factor, shift):
    numbers = np.random.default_rng(1)
    scores = numbers.normal(0, 1, 300)
    relevant = numbers.random(300) < 1 / (1 + np.exp(-2 * scores))
    plain, moved = fit(scores, relevant), fit(scores * factor + shift, relevant)
    for score in (-2.0, 0.0, 2.0):
        expected = probability(score, plain)
        assert probability(score * factor + shift, moved) == pytest.approx(expected, abs=1e-6)


def test_perfect_separation_gives_finite_calibration():
    found = fit(np.array([0.0, 1.0, 10.0, 11.0]), np.array([False, False, True, True]))
    assert math.isfinite(found.slope)
    # Platt's targets are 3/4 for the two relevant hits and 1/4 for the two others.
    assert probability(11.0, found) == pytest.approx(0.75, abs=0.03)
    assert probability(0.0, found) == pytest.approx(0.25, abs=0.03)


def test_quality_equals_values_computed_by_hand():
    found = quality(np.array([0.0, 0.05, 0.8, 1.0]), np.array([False, True, True, True]))
    assert found.brier == pytest.approx((0.95**2 + 0.2**2) / 4)
    assert found.log_loss == pytest.approx(-(math.log(0.05) + math.log(0.8)) / 4)
    assert found.error == pytest.approx((2 * abs(0.025 - 0.5) + abs(0.8 - 1)) / 4)
    assert [(one.low, one.hits, one.relevant) for one in found.bins] == [
        (0.0, 2, 0.5), (0.8, 1, 1.0), (0.9, 1, 1.0),
    ]  # fmt: skip
    certain = quality(np.array([0.0]), np.array([True]))
    assert 700 < certain.log_loss < math.inf


def test_cross_validation_splits_by_query():
    """Scores depend only on the query here, so a calibration cannot predict unseen queries.

    The report must show the bad quality.
    """
    numbers = np.random.default_rng(2)
    scores, relevant, queries = [], [], []
    for query in range(40):
        base, share = numbers.normal(0, 100), query % 2
        scores += list(base + numbers.normal(0, 1, 50))
        relevant += [bool(share)] * 50
        queries += [str(query)] * 50
    judged = JudgedScores(np.array(scores), np.array(relevant), queries)
    slope, _ = _platt(judged.scores, judged.relevant)
    if slope <= 0:
        judged = JudgedScores(-judged.scores, judged.relevant, queries)
    report = calibrate(judged)
    assert report.after.log_loss > 0.66
    again = calibrate(judged)
    assert again == report
    assert calibrate(judged, seed=1).after != report.after
    assert calibrate(judged, folds=1_000).folds == 40


@pytest.mark.parametrize(
    ("scores", "relevant", "message"),
    [
        ([1.0, 2.0], [True, True], "is not relevant"),
        ([1.0, 2.0], [False, False], "none of the 2 hits is relevant"),
        ([1.0, math.nan], [False, True], "must be finite numbers, got nan"),
        ([1.0], [False, True], "one judgement"),
        ([2.0, 1.0, 2.0, 1.0], [False, True, False, True], "not relevant more often"),
        ([1.0, 1.0], [False, True], "not relevant more often"),
    ],
)
def test_unsuitable_scores_are_rejected(scores, relevant, message):
    with pytest.raises(InvalidInputError, match=message):
        fit(np.array(scores), np.array(relevant))


def test_one_query_is_rejected():
    judged = JudgedScores(np.array([1.0, 2.0]), np.array([False, True]), ["a", "a"])
    with pytest.raises(InvalidInputError, match="at least 2 queries, got 1"):
        calibrate(judged)


def test_scores_in_the_unit_interval_count_as_probabilities():
    scores = np.array([0.1, 0.2, 0.9, 0.7])
    judged = JudgedScores(scores, np.array([False, False, True, True]), list("aabb"))
    assert calibrate(judged).before == quality(scores, judged.relevant)
    assert isinstance(calibrate(judged).calibration, CalibrationConfig)
