"""Fusion equals a literal reference and stays within its bounds."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import ConfigError
from twindex.search.finding.fusion import Ranked, fuse, normalize
from twindex.search.request import Fusion

METHODS = ["rrf", "minmax", "zscore", "dbsf"]

lists = st.dictionaries(
    st.integers(1, 30), st.floats(-50, 50, allow_nan=False, width=32), min_size=1, max_size=12
)


def ranked(scores: dict[int, float], weight: float = 1.0) -> Ranked:
    order = sorted(scores, key=lambda number: (-scores[number], number))
    return Ranked(
        np.array(order, dtype=np.int64),
        np.array([scores[number] for number in order], dtype=np.float32),
        weight,
    )


def reference(legs: list[tuple[dict[int, float], float]], fusion: Fusion) -> dict[int, float]:
    """The formulae of the module, term by term."""
    total: dict[int, float] = {}
    for scores, weight in legs:
        order = sorted(scores, key=lambda number: (-scores[number], number))
        values = [float(np.float32(scores[number])) for number in order]
        low, high = min(values), max(values)
        mean, sd = statistics.fmean(values), statistics.pstdev(values)
        for number, value in zip(order, values, strict=True):
            rank = 1 + sum(other > value for other in values)
            if fusion.method == "rrf":
                gain = 1 / ((fusion.k or 60) + rank)
            elif fusion.method == "minmax":
                gain = (value - low) / (high - low) if high > low else 1.0
            elif fusion.method == "zscore":
                gain = (value - low) / sd if high > low else 1.0
            else:
                gain = (value - (mean - 3 * sd)) / (6 * sd) if high > low else 0.5
            total[number] = total.get(number, 0.0) + weight * gain
    if fusion.method != "rrf":
        total = {n: s / sum(weight for _, weight in legs) for n, s in total.items()}
    return total


@pytest.mark.parametrize("method", METHODS)
@given(first=lists, second=lists, weights=st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)))
def test_fuse_equals_the_formulae(method, first, second, weights):
    # Scores that differ only by rounding have no meaningful deviation.
    first = {n: round(s, 2) for n, s in first.items()}
    second = {n: round(s, 2) for n, s in second.items()}
    fusion = Fusion(method=method, k=7 if method == "rrf" else None)
    numbers, scores = fuse([ranked(first, weights[0]), ranked(second, weights[1])], fusion)
    expected = reference([(first, weights[0]), (second, weights[1])], fusion)
    assert set(numbers.tolist()) == set(expected)
    for number, score in zip(numbers.tolist(), scores.tolist(), strict=True):
        assert score == pytest.approx(expected[number], rel=1e-5, abs=1e-6)
    assert np.all(np.diff(scores) <= 0)


@given(first=lists, second=lists)
def test_minmax_stays_between_0_and_1(first, second):
    _, scores = fuse([ranked(first), ranked(second, 3.0)], Fusion(method="minmax"))
    assert scores.min() >= 0
    assert scores.max() <= 1 + 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_list_contributes_nothing(method):
    empty = Ranked(np.empty(0, np.int64), np.empty(0, np.float32), 1.0)
    numbers, _ = fuse([ranked({3: 2.0, 1: 5.0}), empty], Fusion(method=method))
    assert numbers.tolist() == [1, 3]


def test_equal_scores_are_ordered_by_number():
    numbers, _ = fuse([ranked({9: 1.0, 2: 1.0, 5: 1.0})], Fusion(method="minmax"))
    assert numbers.tolist() == [2, 5, 9]


def test_only_rrf_accepts_the_constant():
    assert Fusion(method="rrf").constant == 60
    assert Fusion(method="rrf", k=3).constant == 3
    for method in ("minmax", "zscore", "dbsf"):
        with pytest.raises(ConfigError) as caught:
            Fusion.parse({"method": method, "k": 60})
        assert caught.value.field == "k"


def test_an_absent_document_scores_like_the_last_of_the_list():
    for method in ("minmax", "zscore"):
        assert normalize(np.array([3.0, 2.0, 1.0]), Fusion(method=method))[-1] == 0.0
