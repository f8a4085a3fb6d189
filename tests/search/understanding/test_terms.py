"""Feedback on terms against references that follow the formulae step by step."""

from __future__ import annotations

from math import log2, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.index import CollectionTerms
from twindex.search.feedback import bo1, kl, rm3, rocchio
from twindex.search.feedback.terms import heaviest

TERMS = "abcdefgh"
bags = st.dictionaries(st.sampled_from(TERMS), st.integers(1, 5), max_size=6)
queries = st.dictionaries(st.sampled_from(TERMS), st.integers(1, 3), min_size=1, max_size=4)
passages = st.lists(bags, min_size=1, max_size=4)
weights = st.floats(0.05, 0.95)
sizes = st.integers(1, 8)


def top(values: dict[str, float], n: int) -> dict[str, float]:
    positive = [pair for pair in values.items() if pair[1] > 0]
    return dict(sorted(positive, key=lambda pair: (-pair[1], pair[0]))[:n])


def statistics(found: list[dict[str, int]], extra: int) -> CollectionTerms:
    """Return statistics of a collection with these passages and `extra` times every term."""
    occurrences = {t: sum(one.get(t, 0) for one in found) + extra for t in TERMS}
    documents = {t: sum(t in one for one in found) + extra for t in TERMS}
    return CollectionTerms(20 + extra, sum(occurrences.values()), documents, occurrences)


def check(found: dict[str, float], expected: dict[str, float], query: dict[str, int]) -> None:
    """Assert that the weights are proportional and have the sum of the query's weights."""
    expected = {term: value for term, value in expected.items() if value > 0}
    factor = sum(query.values()) / sum(expected.values())
    assert found == pytest.approx({term: value * factor for term, value in expected.items()})
    assert sum(found.values()) == pytest.approx(sum(query.values()))


SCORES = st.just(0.0) | st.floats(0.001, 5)


@given(queries, passages, st.lists(SCORES, min_size=4, max_size=4), sizes, weights)
def test_rm3_equals_its_formula(query, found, scores, terms, weight):
    scores = scores[: len(found)]
    own = scores if any(scores) else [1.0] * len(found)
    model = dict.fromkeys(TERMS, 0.0)
    for passage, score in zip(found, own, strict=True):
        kept = top(passage, terms)
        for term in kept:
            model[term] += score * kept[term] / sum(kept.values())
    model = top(model, terms)
    mass = sum(model.values())
    length = sum(query.values())
    expected = {
        t: (1 - weight) * query.get(t, 0) / length + weight * model.get(t, 0.0) / (mass or 1)
        for t in TERMS
    }
    check(rm3(query, found, scores, terms, weight), expected, query)


@given(queries, passages, sizes, weights)
def test_rocchio_equals_its_formula(query, found, terms, weight):
    def unit(bag):
        norm = sqrt(sum(v * v for v in bag.values())) or 1.0
        return {t: bag.get(t, 0) / norm for t in TERMS}

    mean = {t: sum(unit(one)[t] for one in found) / len(found) for t in TERMS}
    added = unit(top(mean, terms))
    expected = {t: (1 - weight) * unit(query)[t] + weight * added[t] for t in TERMS}
    check(rocchio(query, found, terms, weight), expected, query)


def repeated(found: list[dict[str, int]]) -> dict[str, int]:
    """Return the frequency of each term that is in two passages, or in the only one."""
    least = min(2, len(found))
    return {
        t: sum(one.get(t, 0) for one in found)
        for t in TERMS
        if sum(t in one for one in found) >= least
    }


@given(queries, passages, sizes, weights, st.integers(0, 9))
def test_bo1_equals_its_formula(query, found, terms, weight, extra):
    known = statistics(found, extra)
    counts = repeated(found)

    def informative(tf: float, cf: float) -> float:
        f = cf / known.passages
        return tf * log2((1 + f) / f) + log2(1 + f)

    best = informative(max(counts.values()), max(counts.values())) if counts else 1.0
    values = top({t: informative(n, known.occurrences[t]) / best for t, n in counts.items()}, terms)
    most = max(query.values())
    expected = {
        t: (1 - weight) * query.get(t, 0) / most + weight * values.get(t, 0.0) for t in TERMS
    }
    check(bo1(query, found, known, terms, weight), expected, query)


@given(queries, passages, sizes, weights, st.integers(0, 9))
def test_kl_equals_its_formula(query, found, terms, weight, extra):
    known = statistics(found, extra)
    length = sum(sum(one.values()) for one in found)
    values = {
        t: n / length * log2(n * known.total_length / (length * known.occurrences[t]))
        for t, n in repeated(found).items()
        if n * known.total_length > length * known.occurrences[t]
    }
    best = max(values.values(), default=1.0)
    added = top({t: value / best for t, value in values.items()}, terms)
    most = max(query.values())
    expected = {
        t: (1 - weight) * query.get(t, 0) / most + weight * added.get(t, 0.0) for t in TERMS
    }
    check(kl(query, found, known, terms, weight), expected, query)


@pytest.mark.parametrize(("count", "length", "factor"), [(9, 11, 7), (7, 12, 9), (9, 14, 3)])
def test_kl_of_a_term_that_is_as_frequent_as_in_the_collection_is_zero(count, length, factor):
    """A rounding error of the divergence would be the largest weight."""
    passage = {"a": count, "b": length - count}
    occurrences = {term: one * factor for term, one in passage.items()}
    known = CollectionTerms(99, length * factor, {"a": 9, "b": 9}, occurrences)
    assert kl({"c": 1}, [passage], known, 8, 0.5) == {"c": 1.0}


@given(queries, passages, st.integers(1, 8))
def test_no_weight_keeps_the_query(query, found, terms):
    known = statistics(found, 1)
    for expanded in (
        rm3(query, found, [1.0] * len(found), terms, 0.0),
        rocchio(query, found, terms, 0.0),
        bo1(query, found, known, terms, 0.0),
        kl(query, found, known, terms, 0.0),
    ):
        assert expanded == pytest.approx(query)


def test_heaviest_breaks_ties_by_term_and_drops_zero():
    assert list(heaviest({"b": 1.0, "a": 1.0, "c": 2.0, "d": 0.0, "e": -1.0}, 9)) == ["c", "a", "b"]
