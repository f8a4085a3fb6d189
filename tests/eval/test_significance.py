"""The paired randomisation test."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.eval import compare, holm, significance

values = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=10)


def by_query(numbers):
    return {f"q{i}": float(number) for i, number in enumerate(numbers)}


@given(values)
def test_few_queries_are_enumerated(pairs):
    found = compare(by_query(a for a, _ in pairs), by_query(b for _, b in pairs))
    differences = [a - b for a, b in pairs]
    sums = [
        abs(sum(sign * d for sign, d in zip(signs, differences, strict=True)))
        for signs in product([1, -1], repeat=len(pairs))
    ]
    assert found.p_value == pytest.approx(np.mean([s >= abs(sum(differences)) for s in sums]))
    assert found.difference == pytest.approx(np.mean(differences))
    assert (found.wins, found.losses, found.ties) == (
        sum(d > 0 for d in differences),
        sum(d < 0 for d in differences),
        sum(d == 0 for d in differences),
    )


def test_many_queries_are_sampled_reproducibly_and_close_to_t_test():
    scipy_stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(1)
    a, b = random.random(300), random.random(300)
    a = a + 0.04
    found = compare(by_query(a), by_query(b))
    assert found == compare(by_query(a), by_query(b))
    assert found.p_value == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, abs=0.01)
    assert compare(by_query(b), by_query(a)).p_value == found.p_value


def test_p_value_is_bounded_by_the_permutations():
    a, b = by_query([1.0] * 100), by_query([0.0] * 100)
    assert compare(a, b, permutations=999).p_value == pytest.approx(1 / 1000)
    assert compare(a, a).p_value == 1.0


def test_different_queries_are_rejected():
    expected = "same queries, got 1 and 1 queries with 0 in common"
    with pytest.raises(InvalidInputError, match=expected):
        compare({"q1": 1.0}, {"q2": 1.0})
    with pytest.raises(InvalidInputError):
        compare({}, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_rejected(value):
    a = dict(by_query([1.0] * 50), q7=value)
    for pair in ((a, by_query([0.0] * 50)), (by_query([0.0] * 50), a), (a, a)):
        with pytest.raises(InvalidInputError, match="finite"):
            compare(*pair)


def test_p_value_of_many_queries_takes_bounded_memory(monkeypatch):
    """Exchanges are computed in blocks. The size of a block does not change the result."""
    random = np.random.default_rng(1)
    a, b = by_query(random.random(300)), by_query(random.random(300))
    whole = compare(a, b)
    monkeypatch.setattr(significance, "_SIGNS", 1_000)
    assert compare(a, b) == whole
    many = by_query(random.random(20_000))
    tracemalloc.start()
    compare(many, by_query(random.random(20_000)), permutations=200)
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_accepts_the_p_values_that_its_steps_accept(p_values):
    """Step i rejects while p_(i) <= level / (n - i), from the least p-value on."""
    corrected = holm(p_values)
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for before, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if p_values[place] * (len(p_values) - before) > level:
                break
            rejected.add(place)
        assert {i for i, p in enumerate(corrected) if p <= level} == rejected
    assert all(p <= c <= 1 for p, c in zip(p_values, corrected, strict=True))
