"""Computes quality measures of a run (the ranked documents of each query) with ir_measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import InvalidInputError, Qrels, Run

EXAMPLES = "nDCG@10, R@100, RR@10, AP, P@5, Success@1"
DEFAULT_MEASURES = ("nDCG@10", "R@100", "RR@10", "AP")
"""Measures that an evaluation computes by default."""

MAX_PARAMETER = 1_000_000
"""Largest cut-off of a measure, and largest `rel` (the lowest grade that counts as relevant)."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The values of each measure, for each query and on average.

    measures:  measure -> mean over the queries; for counts such as NumRet, the sum.
    per_query: measure -> query id -> value.
    queries:   number of queries with judgements. Every mean includes all of these queries.
    """

    measures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    queries: int


def evaluate(run: Run, qrels: Qrels, measures: Sequence[str] = DEFAULT_MEASURES) -> Evaluation:
    """Compute measures of a run against judgements.

    run:      query id -> document id -> score.
    qrels:    judgements: query id -> document id -> grade. Grades of 0 and below are not relevant.
    measures: names in the syntax of ir_measures, such as `nDCG@10` or `AP(rel=2)`. The gain of nDCG
              is the grade (linear), as in trec_eval.

    Each mean is over all queries in `qrels`. A query that is missing in the run, or that has no
    relevant document, counts as 0. Queries without judgements are ignored. Documents with equal
    scores are ranked by id in ascending order.

    Raises InvalidInputError for an unknown measure, a score that is not a number, a grade above
    2^31 - 1, and empty judgements.
    """
    if not qrels or not all(qrels.values()):
        raise InvalidInputError(
            "must have at least one query, and at least one judgement for each query",
            field="qrels",
        )
    parsed = {name: parse_measure(name) for name in measures}
    if not parsed:
        message = f"must have at least one measure, for example {EXAMPLES}"
        raise InvalidInputError(message, field="measures")

    import ir_measures

    # The libraries behind ir_measures break ties in different ways. Ranks as scores have no ties.
    strict = {
        query: {document: float(-rank) for rank, document in enumerate(ranking(scores))}
        for query, scores in run.items()
        if query in qrels and scores
    }
    judged = {
        query: {document: _grade(grade) for document, grade in grades.items()}
        for query, grades in qrels.items()
    }
    values: dict[Any, dict[str, float]] = {measure: {} for measure in parsed.values()}
    for metric in ir_measures.iter_calc(list(values), judged, strict):
        values[metric.measure][metric.query_id] = float(metric.value)

    per_query = {name: {q: values[m][q] for q in qrels} for name, m in parsed.items()}
    return _with_means(per_query, parsed, len(qrels))


def joined(parts: Sequence[Evaluation], qrels: Qrels, measures: Sequence[str]) -> Evaluation:
    """Merge evaluations of different queries into an evaluation of all queries in `qrels`.

    A query that is in none of `parts` counts as a query without hits.
    """
    missing = evaluate({}, qrels, measures).per_query
    per_query = {
        name: {**missing[name], **{q: v for part in parts for q, v in part.per_query[name].items()}}
        for name in measures
    }
    return _with_means(per_query, {name: parse_measure(name) for name in measures}, len(qrels))


def _with_means(
    per_query: Mapping[str, Mapping[str, float]], parsed: Mapping[str, Any], queries: int
) -> Evaluation:
    """Return an Evaluation with the mean of each measure.

    parsed:  name -> measure, as an object of ir_measures.
    queries: number of queries.
    """
    means = {}
    for name, measure in parsed.items():
        aggregate = measure.aggregator()
        for value in per_query[name].values():
            aggregate.add(value)
        means[name] = float(aggregate.result())
    return Evaluation(measures=means, per_query=per_query, queries=queries)


def ranking(scores: Mapping[str, float]) -> list[str]:
    """Return document ids in descending order of score. Ties are in ascending order of id.

    Raises InvalidInputError for a score that is not a number.
    """
    for document, score in scores.items():
        if math.isnan(score):
            raise InvalidInputError(
                f"the score of document {document} must be a number, got {score}"
            )
    return sorted(scores, key=lambda document: (-scores[document], document))


def parse_measure(name: str) -> Any:
    """Return the object of ir_measures for the name of a measure, such as `nDCG@10`.

    Raises InvalidInputError for an unknown name; the error has examples.
    """
    import ir_measures

    pipeline: Any = ir_measures.DefaultPipeline
    try:
        measure: Any = ir_measures.parse_measure(name)
        known = pipeline.supports(measure)
    except (ValueError, NameError, AssertionError, TypeError) as error:
        raise _invalid_measure(name, str(error)) from None
    if not known:
        raise _invalid_measure(name, "no installed package computes it")
    # trec_eval ends the process for numbers out of range.
    for parameter in ("cutoff", "rel"):
        value = measure.params.get(parameter, 1)
        if isinstance(value, bool) or not 1 <= value <= MAX_PARAMETER:
            problem = f"{parameter} must be between 1 and {MAX_PARAMETER:,}, got {value}"
            raise _invalid_measure(name, problem)
    return measure


def _grade(grade: int) -> int:
    """Return the grade, or 0 for a negative grade.

    trec_eval crashes if all grades of a query are negative.
    """
    if grade >= 2**31:
        raise InvalidInputError(f"a grade must be below 2^31, got {grade}", field="qrels")
    return max(0, grade)


def _invalid_measure(name: str, problem: str) -> InvalidInputError:
    message = f"{name!r} is not a measure ({problem}); examples of measures: {EXAMPLES}"
    return InvalidInputError(message, field="measures")
