"""Effectiveness measures of a run, computed by ir_measures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..core import InvalidInputError, Qrels, Run

EXAMPLES = "nDCG@10, R@100, RR@10, AP, P@5, Success@1"
DEFAULT_MEASURES = ("nDCG@10", "R@100", "RR@10", "AP")
"""Measures of an evaluation that names none."""

MAX_PARAMETER = 1_000_000
"""Of a measure's cutoff, and of the grade from which a document is relevant."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Values of each measure: the mean over queries, and those of each query.

    measures:  measure -> mean (its sum, for counts such as NumRet).
    per_query: measure -> query id -> value.
    queries:   number of queries with judgements; all of them are in every mean.
    """

    measures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    queries: int


def evaluate(run: Run, qrels: Qrels, measures: Sequence[str] = DEFAULT_MEASURES) -> Evaluation:
    """Evaluate a run against judgements.

    measures: names as ir_measures writes them, such as `nDCG@10` or `AP(rel=2)`. nDCG has linear
              gain (the grade itself), as in trec_eval.

    The mean is over every query of `qrels`: a query that the run lacks counts as 0, and so does
    one without a relevant document. Queries without judgements are left out. A negative grade is
    not relevant, like 0. Documents with equal scores are ordered by id, ascending.

    Raises InvalidInputError for an unknown measure, a score that is not a number, a grade above
    2^31 - 1, and judgements that are empty.
    """
    if not qrels or not all(qrels.values()):
        raise InvalidInputError("every query needs at least one judgement", field="qrels")
    parsed = {name: parse_measure(name) for name in measures}
    if not parsed:
        raise InvalidInputError(f"give at least one measure, e.g. {EXAMPLES}", field="measures")

    import ir_measures

    # The libraries behind ir_measures break ties in different ways, so none may reach them.
    strict = {
        query: {document: float(-place) for place, document in enumerate(ranking(scores))}
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

    means = {}
    for name, measure in parsed.items():
        aggregate = measure.aggregator()
        for query in qrels:
            aggregate.add(values[measure][query])
        means[name] = float(aggregate.result())
    per_query = {name: {q: values[m][q] for q in qrels} for name, m in parsed.items()}
    return Evaluation(measures=means, per_query=per_query, queries=len(qrels))


def ranking(scores: Mapping[str, float]) -> list[str]:
    """Document ids by score, highest first; ties by id, ascending."""
    for document, score in scores.items():
        if math.isnan(score):
            raise InvalidInputError(f"the score of document {document} is not a number")
    return sorted(scores, key=lambda document: (-scores[document], document))


def parse_measure(name: str) -> Any:
    """The ir_measures object of a name. Raises InvalidInputError, with examples."""
    import ir_measures

    pipeline: Any = ir_measures.DefaultPipeline
    try:
        measure: Any = ir_measures.parse_measure(name)
        known = pipeline.supports(measure)
    except (ValueError, NameError, AssertionError, TypeError) as error:
        raise _unknown(name, str(error)) from None
    if not known:
        raise _unknown(name, "no installed package computes it")
    # trec_eval ends the process when it is given numbers out of range.
    for parameter in ("cutoff", "rel"):
        value = measure.params.get(parameter, 1)
        if isinstance(value, bool) or not 1 <= value <= MAX_PARAMETER:
            raise _unknown(name, f"{parameter} must be from 1 to {MAX_PARAMETER}")
    return measure


def _grade(grade: int) -> int:
    """A grade that trec_eval can bear: it crashes on queries whose grades are all negative."""
    if grade >= 2**31:
        raise InvalidInputError(f"the grade {grade} is too large", field="qrels")
    return max(0, grade)


def _unknown(name: str, problem: str) -> InvalidInputError:
    message = f"{name!r} is not a measure ({problem}); write it like {EXAMPLES}"
    return InvalidInputError(message, field="measures")
