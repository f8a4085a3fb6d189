"""Accuracy at coverage, against averages over all orders of equal confidences."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.eval.answers.coverage import (
    accuracy_at,
    accuracy_curve,
    area_under_accuracy,
    nauc,
    points,
)

PAIRS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.1, 0.2, 0.9])),
    min_size=1,
    max_size=5,
)


def reference(values, confidence):
    """The mean over all orders with descending confidence."""
    n = len(values)
    orders = [
        order
        for order in itertools.permutations(range(n))
        if all(confidence[a] >= confidence[b] for a, b in itertools.pairwise(order))
    ]
    curves = [
        [np.mean([values[i] for i in order[:k]]) for k in range(1, n + 1)] for order in orders
    ]
    return np.mean(curves, axis=0)


@given(PAIRS)
def test_curve_is_the_mean_over_orders_of_equal_confidence(pairs):
    values, confidence = map(np.array, zip(*pairs, strict=True))
    curve = accuracy_curve(values, confidence)
    assert curve == pytest.approx(reference(values, confidence))
    assert area_under_accuracy(values, confidence) == pytest.approx(curve.mean())
    assert curve[-1] == pytest.approx(values.mean())


@given(PAIRS, st.randoms())
def test_order_of_the_questions_does_not_matter(pairs, random):
    shuffled = random.sample(pairs, len(pairs))
    one, other = (accuracy_curve(*map(np.array, zip(*p, strict=True))) for p in (pairs, shuffled))
    assert one == pytest.approx(other)


@given(PAIRS)
def test_points_are_sums_over_thresholds(pairs):
    values, confidence = map(np.array, zip(*pairs, strict=True))
    weights = np.arange(1.0, len(pairs) + 1)
    found = points(values, confidence, weights)
    assert [one.threshold for one in found] == sorted(set(confidence.tolist()), reverse=True)
    for one in found:
        chosen = [i for i in range(len(pairs)) if confidence[i] >= one.threshold]
        weight = sum(weights[i] for i in chosen)
        assert one.coverage == pytest.approx(weight / weights.sum())
        assert one.accuracy == pytest.approx(sum(weights[i] * values[i] for i in chosen) / weight)


def test_weights_count_as_repetitions():
    values, confidence = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.5, 0.1])
    once = accuracy_curve(values, confidence, np.array([2.0, 1.0, 1.0]))
    assert once == pytest.approx([1, 2 / 3, 3 / 4])


def test_accuracy_at_a_coverage():
    values = np.array([1.0, 1.0, 0.0, 0.0])
    confidence = np.array([4.0, 3.0, 2.0, 1.0])
    assert [accuracy_at(values, confidence, share) for share in (0.01, 0.5, 0.51, 0.75, 1)] == (
        pytest.approx([1, 1, 2 / 3, 2 / 3, 1 / 2])
    )


def literal_nauc(values, confidence):
    """The formula with every curve written out; no confidences are equal."""
    rates = np.linspace(0, 1, 11)[:-1].tolist()  # 0.3 and 0.6 are not rounded decimals here.

    def area(by):
        order = sorted(range(len(values)), key=lambda i: by[i])
        kept = [order[min(round(rate * len(order)), len(order) - 1) :] for rate in rates]
        curve = [sum(values[i] for i in one) / len(one) for one in kept]
        return sum((a + b) / 2 * 0.1 for a, b in itertools.pairwise(curve))

    flat = sum(values) / len(values) * 0.9
    return (area(confidence) - flat) / (area(values) - flat)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=4, max_size=30), st.randoms())
def test_nauc_equals_the_formula(values, random):
    assume(0 < sum(values) < len(values))
    confidence = random.sample(range(len(values)), len(values))
    found = nauc(np.array(values), np.array(confidence, float))
    assert found == pytest.approx(literal_nauc(values, confidence))
    assert found <= 1 + 1e-9


def test_nauc_of_perfect_constant_and_undefined_confidence():
    values = np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    assert nauc(values, values) == pytest.approx(1)
    assert nauc(values, np.ones(5)) == pytest.approx(0)
    assert math.isnan(nauc(np.ones(5), values))


@pytest.mark.parametrize(
    ("values", "confidence"), [([], []), ([1.0], [1.0, 2.0]), ([1.0], [math.nan])]
)
def test_invalid_arguments(values, confidence):
    with pytest.raises(InvalidInputError, match="confidence"):
        accuracy_curve(np.array(values), np.array(confidence))
