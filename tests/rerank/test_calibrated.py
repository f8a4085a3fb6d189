"""Calibration of scores as probabilities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.rerank import (
    CalibrationConfig,
    Candidate,
    FakeRerankerConfig,
    load_reranker,
    rerank_one,
)
from twindex.rerank.calibrated import Calibrated, probability

NUMBERS = st.floats(-1e9, 1e9)


@given(NUMBERS, NUMBERS, st.floats(1e-6, 1e6), NUMBERS)
def test_calibration_keeps_the_order(one, other, slope, intercept):
    calibration = CalibrationConfig(slope=slope, intercept=intercept)
    low, high = sorted([one, other])
    assert 0 <= probability(low, calibration) <= probability(high, calibration) <= 1


@given(st.floats(-20, 20), st.floats(0.1, 3), st.floats(-5, 5))
def test_probability_equals_the_formula(score, slope, intercept):
    expected = 1 / (1 + math.exp(-(slope * score + intercept)))
    calibration = CalibrationConfig(slope=slope, intercept=intercept)
    assert probability(score, calibration) == pytest.approx(expected, rel=1e-12)


def test_scores_become_probabilities_with_raw_scores_in_reasons():
    config = FakeRerankerConfig(calibration=CalibrationConfig(slope=2.0, intercept=-1.0))
    hits = [Candidate("a", "nothing"), Candidate("b", "the query")]
    found = rerank_one(load_reranker(config), "query", hits)
    raw = rerank_one(load_reranker(FakeRerankerConfig()), "query", hits)
    assert [one.index for one in found.order] == [one.index for one in raw.order] == [1, 0]
    assert [one.reasons["raw"] for one in found.order] == [1.0, 0.0]
    assert [one.score for one in found.order] == pytest.approx(
        [1 / (1 + math.exp(-1)), 1 / (1 + math.e)]
    )


def test_hits_without_a_score_get_no_probability():
    config = FakeRerankerConfig(fails_at=0)
    calibration = CalibrationConfig(slope=1, intercept=0)
    wrapped = Calibrated(load_reranker(config), calibration)
    assert (wrapped.kind, wrapped.needs) == ("fake", load_reranker(config).needs)
    found = rerank_one(wrapped, "query", [Candidate("a", "x")])
    assert (found.status, found.order[0].score, found.order[0].reasons) == ("failed", None, {})
