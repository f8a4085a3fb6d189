"""Comparing systems by their values for the same queries."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.eval import Measured, compare_systems, measure_run

grades = st.integers(0, 10)
two_systems = st.dictionaries(
    st.sampled_from("abcdefgh"), st.tuples(grades | st.none(), grades | st.none()), min_size=1
).filter(lambda values: any(None not in pair for pair in values.values()))


def measured(name, values):
    return Measured(name, {"m": dict(values)})


@settings(deadline=None)
@given(two_systems)
def test_comparison_equals_exact_permutation_test_with_missing_queries_as_zero(pairs):
    """The reference enumerates all exchanges in fractions. Sums of tenths are inexact floats."""
    a = {q: Fraction(x, 10) for q, (x, _) in pairs.items() if x is not None}
    b = {q: Fraction(y, 10) for q, (_, y) in pairs.items() if y is not None}
    queries = sorted({*a, *b})
    base, other = compare_systems(
        [
            measured(name, {q: float(v) for q, v in own.items()})
            for name, own in (("a", a), ("b", b))
        ],
        ["m"],
    )
    exact = [b.get(q, Fraction()) - a.get(q, Fraction()) for q in queries]
    exchanged = [
        abs(sum(sign * d for sign, d in zip(signs, exact, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(exact))
    ]
    extreme = sum(total >= abs(sum(exact)) for total in exchanged)
    assert base.comparisons is None
    assert other.comparisons is not None
    found = other.comparisons["m"]
    assert found.p_value == pytest.approx(extreme / len(exchanged))
    assert 0 < found.p_value <= 1
    assert found.difference == pytest.approx(float(sum(exact) / len(exact)))
    assert found.difference == pytest.approx(other.means["m"] - base.means["m"])
    assert (found.wins, found.ties, found.losses) == (
        sum(d > 0 for d in exact),
        sum(d == 0 for d in exact),
        sum(d < 0 for d in exact),
    )
    assert (base.absent, other.absent) == (len(queries) - len(a), len(queries) - len(b))


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(grades, grades), min_size=2, max_size=8))
def test_p_values_equal_scipy(pairs):
    scipy_stats = pytest.importorskip("scipy.stats")
    values = [{str(i): float(pair[side]) for i, pair in enumerate(pairs)} for side in (0, 1)]
    _, other = compare_systems([measured("a", values[0]), measured("b", values[1])], ["m"])
    expected = scipy_stats.permutation_test(
        (list(values[1].values()), list(values[0].values())),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=10_000,
        vectorized=True,
    )
    assert other.comparisons["m"].p_value == pytest.approx(expected.pvalue)


def test_measure_run_equals_ir_measures():
    ir_measures = pytest.importorskip("ir_measures")
    qrels = {"1": {"a": 2, "b": 1}, "2": {"c": 1}, "3": {"d": 1}}
    run = {"1": {"b": 2.0, "a": 1.0}, "2": {"x": 1.0}, "unjudged": {"a": 1.0}}
    found = measure_run("r", run, qrels, ["nDCG@10", "AP"])
    for name in ("nDCG@10", "AP"):
        measure = ir_measures.parse_measure(name)
        expected = {m.query_id: m.value for m in ir_measures.iter_calc([measure], qrels, run)}
        assert found.per_query[name] == pytest.approx({"3": 0.0, **expected})
    assert (found.absent, found.unjudged) == ({"3"}, 1)


def test_only_the_given_queries_count():
    a = measured("a", {"1": 0.5, "2": 1.0, "beyond": 1.0})
    b = measured("b", {"1": 1.0})
    base, other = compare_systems([a, b], ["m"], queries={"1", "2", "3"})
    assert (base.means, other.means) == ({"m": 0.5}, {"m": pytest.approx(1 / 3)})
    assert (base.absent, base.unjudged) == (1, 1)
    assert (other.absent, other.unjudged) == (2, 0)
    assert dict(other.per_query["m"]) == {"1": 1.0, "2": 0.0, "3": 0.0}
    other, base = compare_systems([a, b], ["m"], baseline="b")
    assert base.comparisons is None
    assert other.comparisons["m"].difference == pytest.approx(0.5)


def test_invalid_comparisons_are_rejected():
    a, b = measured("a", {"1": 0.5}), measured("b", {"1": 0.5})
    c = measured("c", {"2": 0.5})
    for systems, options, words in (
        ([a], {}, "systems: must be at least 2 systems, got 1"),
        ([a, a], {}, "systems: two systems have the name 'a'"),
        ([a, b], {"baseline": "c"}, "baseline: no system is named 'c'; the systems are: a, b"),
        (
            [a, b],
            {"queries": set()},
            "queries: there is no query to compare",
        ),
        (
            [a, c],
            {},
            "systems: system c has no query in common with system a; use the same query ids",
        ),
        (
            [a, c],
            {"queries": {"2"}},
            "systems: system a has no query in common with the queries compared",
        ),
    ):
        with pytest.raises(InvalidInputError, match=words):
            compare_systems(systems, ["m"], **options)
    with pytest.raises(
        InvalidInputError, match="measures: system a has no values of AP; it has: m"
    ):
        compare_systems([a, b], ["AP"])
