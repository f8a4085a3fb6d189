"""Predictors of query performance against references that follow their definitions."""

from __future__ import annotations

from itertools import combinations
from math import log, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.index import CollectionTerms
from twindex.search.predictors import (
    ACROSS_LEGS,
    BEFORE,
    OF_LEG,
    agreement,
    before,
    check_predictor,
    scores,
    split,
    texts,
)

score_lists = st.lists(st.floats(-5, 50), max_size=150).map(
    lambda values: np.array(sorted(values, reverse=True), dtype=np.float32)
)
ranked = st.lists(st.integers(0, 30), unique=True, max_size=20)


def collection(terms: dict[str, tuple[int, int]]) -> CollectionTerms:
    """Return statistics of 100 passages with 1,000 terms; term -> (passages, occurrences)."""
    return CollectionTerms(
        100, 1000, {t: df for t, (df, _) in terms.items()}, {t: cf for t, (_, cf) in terms.items()}
    )


def test_predictors_before_a_search():
    known = collection({"kiwi": (2, 5), "bird": (40, 90), "dodo": (0, 0)})
    found = before.predict(known, {"kiwi": 1, "bird": 2, "dodo": 1})
    assert found.keys() == BEFORE.keys()
    idfs = [log(101 / 2.5), log(101 / 40.5), log(101 / 0.5)]
    ictfs = [log2(1000 / 5), log2(1000 / 90), log2(1000 / 0.5)]
    scqs = [(1 + log(5)) * log(1 + 100 / 2), (1 + log(90)) * log(1 + 100 / 40), 0]
    shares = [0.25, 0.5, 0.25]
    assert found == pytest.approx(
        {
            "terms": 3,
            "unknown_terms": 1 / 3,
            "idf_avg": sum(idfs) / 3,
            "idf_max": max(idfs),
            "ictf_avg": sum(ictfs) / 3,
            "scq_avg": sum(scqs) / 3,
            "scq_max": max(scqs),
            "scq_sum": sum(scqs),
            "scs": sum(p * (log2(p) + i) for p, i in zip(shares, ictfs, strict=True)),
        }
    )
    assert set(before.predict(known, {}).values()) == {0.0}


@given(score_lists, st.integers(0, 9))
def test_predictors_of_a_list(values, words):
    found = scores.predict(values, words)
    assert found.keys() == OF_LEG.keys() - {"cohesion"}
    assert all(np.isfinite(list(found.values())))
    wide = values.astype(np.float64)
    if len(wide) == 0:
        assert set(found.values()) == {0.0}
        return
    mean, root = wide.mean(), sqrt(max(1, words))
    assert found["top_score"] == wide[0]
    assert found["mean_score"] == pytest.approx(wide[:10].mean())
    assert found["nqc"] == pytest.approx(np.std(wide[:100]) / abs(mean) if mean else 0)
    assert found["wig"] == pytest.approx((wide[:5].mean() - mean) / root, abs=1e-9)
    deviations = [np.std(wide[:n]) for n in range(1, len(wide) + 1)]
    assert found["sigma_max"] == pytest.approx(max(deviations), abs=1e-5)
    half = wide[wide >= wide[0] / 2] if wide[0] > 0 else wide
    assert found["sigma_half"] == pytest.approx(np.std(half) / root)
    if wide[:100].min() > 0:
        top = wide[:100]
        expected = np.mean([abs(s * log(s / top.mean())) for s in top]) / abs(mean)
        assert found["smv"] == pytest.approx(expected, abs=1e-9)


def test_gap_is_relative_to_the_first_score():
    assert scores.gap(np.array([4.0, 3.0, 1.0])) == 0.25
    assert scores.gap(np.array([4.0])) == 1.0
    assert scores.gap(np.array([-1.0, -2.0])) == 1.0
    assert scores.gap(np.array([0.0, 0.0])) == 0.0


@given(st.integers(0, 1000), st.integers(2, 6))
def test_cohesion_is_the_mean_cosine_of_all_pairs(seed, m):
    vectors = np.random.default_rng(seed).normal(size=(m, 5)).astype(np.float32)
    cosines = [a @ b / (np.linalg.norm(a) * np.linalg.norm(b)) for a, b in combinations(vectors, 2)]
    assert scores.cohesion(vectors) == pytest.approx(np.mean(cosines), abs=1e-5)
    assert scores.cohesion(vectors[:1]) == 1.0


@given(ranked, ranked)
def test_agreement_of_two_lists(one, other):
    depth = max(len(one), len(other))
    expected = (
        sum(0.9 ** (d - 1) * len({*one[:d]} & {*other[:d]}) / d for d in range(1, depth + 1))
        / sum(0.9 ** (d - 1) for d in range(1, depth + 1))
        if depth
        else 1.0
    )
    assert agreement.rbo(one, other) == pytest.approx(expected)
    assert agreement.rbo(one, other) == agreement.rbo(other, one)
    found = agreement.predict(one, [one, other])
    assert found.keys() == ACROSS_LEGS.keys()
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())
    if one:
        assert agreement.rbo(one, one) == pytest.approx(1)
        assert found["single_leg"] == sum(d not in other for d in one[:10]) / len(one[:10])


def test_overlap_is_a_share_of_the_longer_list():
    assert agreement.overlap([1, 2, 3, 4], [4, 3]) == 0.5
    assert agreement.overlap(range(20), range(10, 20)) == 0
    assert agreement.overlap([], []) == 1
    assert agreement.predict([1], [[1]]) == {}


def test_coverage_weighs_terms_by_idf():
    weights = {"kiwi": 3.0, "bird": 1.0}
    passages = [{"bird": 1}, {"kiwi": 1, "x": 1}, {}, {}, {}, {"bird": 1, "kiwi": 1}]
    assert texts.coverage(weights, passages) == (1.0, 0.75)
    assert texts.coverage(weights, []) == (0.0, 0.0)
    assert texts.coverage({}, passages) == (0.0, 0.0)


def test_clarity_is_the_divergence_from_the_collection():
    model = texts.model([{"a": 1, "b": 3}, {"a": 1}])
    assert model == pytest.approx({"a": 0.625, "b": 0.375})
    known = collection({"a": (10, 20), "b": (3, 5)})
    expected = 0.625 * log2(0.625 * 1000 / 20) + 0.375 * log2(0.375 * 1000 / 5)
    assert texts.clarity(model, known) == pytest.approx(expected)


def test_names_of_predictors_are_checked():
    assert split("dense.gap") == ("dense", "gap")
    assert split("idf_max") == (None, "idf_max")
    assert check_predictor("dense.gap") == "dense.gap"
    with pytest.raises(ValueError, match="did you mean 'idf_max'"):
        check_predictor("idf_mex")
    with pytest.raises(ValueError, match=r"LEG\.gap, such as dense\.gap"):
        check_predictor("gap")
    with pytest.raises(ValueError, match="must have the form idf_max"):
        check_predictor("dense.idf_max")
