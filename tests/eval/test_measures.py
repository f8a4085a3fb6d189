"""Measures, compared with a reference of a few lines."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twindex.core import InvalidInputError
from twindex.eval import evaluate

documents = st.sampled_from("abcdef")
queries = st.sampled_from("123")
grades = st.dictionaries(documents, st.integers(-1, 3), min_size=1)
scores = st.dictionaries(documents, st.sampled_from([-1.5, 0.0, 1e-9, 2.0, 2.0000001]))
judgements = st.dictionaries(queries, grades, min_size=1)
runs = st.dictionaries(queries, scores)


def reference(run: Mapping[str, float], judged: Mapping[str, int], cutoff: int) -> list[float]:
    """Return nDCG, recall, reciprocal rank and precision of one query at a cut-off."""
    order = [document for _, document in sorted((-score, name) for name, score in run.items())]
    gains = [max(0, judged.get(document, 0)) for document in order[:cutoff]]
    best = sorted((max(0, grade) for grade in judged.values()), reverse=True)[:cutoff]
    ideal = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(best))
    found = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains))
    relevant = sum(grade > 0 for grade in judged.values())
    hits = [rank for rank, gain in enumerate(gains) if gain]
    return [
        found / ideal if ideal else 0.0,
        len(hits) / relevant if relevant else 0.0,
        1 / (hits[0] + 1) if hits else 0.0,
        len(hits) / cutoff,
    ]


@given(runs, judgements, st.integers(1, 5))
def test_values_equal_the_reference(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]], cutoff: int
) -> None:
    names = [f"nDCG@{cutoff}", f"R@{cutoff}", f"RR@{cutoff}", f"P@{cutoff}"]
    evaluation = evaluate(run, qrels, names)
    expected = {query: reference(run.get(query, {}), qrels[query], cutoff) for query in qrels}
    assert evaluation.queries == len(qrels)
    for position, name in enumerate(names):
        for query, values in expected.items():
            assert evaluation.per_query[name][query] == pytest.approx(values[position])
        mean = sum(values[position] for values in expected.values()) / len(qrels)
        assert evaluation.measures[name] == pytest.approx(mean)


def test_missing_queries_count_as_zero_and_unjudged_are_ignored() -> None:
    run = {"1": {"a": 1.0}, "unjudged": {"a": 1.0}}
    qrels = {"1": {"a": 1}, "2": {"a": 1}, "nothing relevant": {"a": 0}}
    evaluation = evaluate(run, qrels, ["RR@10", "nDCG@10", "AP"])
    assert evaluation.queries == 3
    assert evaluation.measures == pytest.approx(dict.fromkeys(("RR@10", "nDCG@10", "AP"), 1 / 3))
    assert evaluate({}, qrels, ["nDCG@10"]).measures == {"nDCG@10": 0.0}


@pytest.mark.parametrize("measure", ["Success@1", "RR@10", "RR", "P@1", "AP@1", "nDCG@1"])
def test_ties_are_ordered_by_id_for_every_library(measure: str) -> None:
    for relevant, expected in (("a", 1.0), ("b", 0.5 if measure.startswith("RR") else 0.0)):
        run = {"1": {"b": 3.0, "a": 3.0, "c": 1.0}}
        value = evaluate(run, {"1": {relevant: 1}}, [measure]).measures[measure]
        assert value == expected


def test_measures_keep_the_requested_name() -> None:
    evaluation = evaluate({"1": {"a": 1.0}}, {"1": {"a": 2}}, ["MRR@10", "AP(rel=2)", "NumRel"])
    assert evaluation.measures == {"MRR@10": 1.0, "AP(rel=2)": 1.0, "NumRel": 1.0}


@pytest.mark.parametrize(
    "measure",
    ["nDCG", "nDCG@10", "R@1000000"],
)
def test_valid_measures_are_accepted(measure: str) -> None:
    assert evaluate({"1": {"a": 1.0}}, {"1": {"a": 1}}, [measure]).measures[measure] == 1.0


@pytest.mark.parametrize(
    "measure",
    [
        "",
        "foo",
        "ndcg10",
        "P",
        "nDCG@0",
        "P@0",
        "R@-1",
        "nDCG@1.5",
        "P@True",
        "R@99999999999999999",
        "AP(rel=0)",
        "AP(relevant=1)",
        "RBP(p=0.8)",
        "nDCG@",
        "__import__('os')",
        "a; b",
        "AP=1",
    ],
)
def test_unknown_measures_are_rejected_with_examples(measure: str) -> None:
    with pytest.raises(InvalidInputError, match=r"examples of measures: nDCG@10, R@100") as caught:
        evaluate({"1": {"a": 1.0}}, {"1": {"a": 1}}, [measure])
    assert caught.value.field == "measures"


def test_invalid_input_is_rejected() -> None:
    good = {"1": {"a": 1}}
    with pytest.raises(InvalidInputError, match="at least one judgement"):
        evaluate({}, {})
    with pytest.raises(InvalidInputError, match="at least one judgement"):
        evaluate({}, {**good, "2": {}})
    with pytest.raises(InvalidInputError, match="at least one measure"):
        evaluate({}, good, [])
    with pytest.raises(InvalidInputError, match="score of document a must be a number, got nan"):
        evaluate({"1": {"a": math.nan}}, good)
    with pytest.raises(InvalidInputError, match=r"below 2\^31, got 2147483648"):
        evaluate({}, {"1": {"a": 2**31}})
