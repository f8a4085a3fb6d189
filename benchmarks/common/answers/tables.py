"""The table of answers: values of a row, and its comparison with the best single leg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from common.answers.asking import TERMS
from common.answers.rows import SINGLE

from twindex.core import Usage
from twindex.eval import compare, holm
from twindex.eval.answers import AnswerRecord, QuestionSet, evaluate_records
from twindex.eval.answers.matching import contains_answer, without_markers

FIRST = "top of sources"
MEASURES = ("match", "EM", "F1", "answer_recall", "citation_precision", "citation_recall")
TESTED = ("match", "F1")
VALUES = ("any", "no_answer", "answered_wrongly", "words", "calls", "tokens", "p50", "p95")
COLUMNS = (
    *("row", "reader", "k", "questions", *MEASURES, *VALUES),
    *("base", "difference", "p", "F1 difference", "F1 p"),
)
"""Cells of a row. `any`: an answer is in a passage or in a generated text that was read. `base`:
the row that it is compared with."""


@dataclass(slots=True)
class Measured:
    """A row of the table. compared: the cells of its comparison."""

    row: str
    reader: str
    k: int | None
    questions: int
    values: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    compared: list[Any] = field(default_factory=lambda: [None] * 5)

    def cells(self) -> list[Any]:
        """The cells of `COLUMNS`."""
        plain = [round(self.values[name], 4) for name in (*MEASURES, *VALUES)]
        return [self.row, self.reader, self.k, self.questions, *plain, *self.compared]

    def line(self) -> str:
        """The most important figures on one line."""
        told = " ".join(f"{name} {self.values[name]:.3f}" for name in (*MEASURES, "p50"))
        return f"{self.reader} {self.row} {self.k or 'budget'} n {self.questions}: {told}"


def measured(
    row: str,
    reader: str,
    k: int | None,
    records: Mapping[str, AnswerRecord],
    questions: QuestionSet,
) -> Measured:
    """The values of a row."""
    found = evaluate_records(records, questions, TERMS)
    cost = found.cost
    assert cost is not None
    hits = 0
    for question in questions.questions:
        record = records[question.id]
        texts = [*record.generated, *(source.text for source in record.sources)]
        hits += any(contains_answer(text, questions.answers[question.id]) for text in texts)
    values = {
        **{name: found.measures[name] for name in MEASURES},
        "any": hits / found.questions,
        "no_answer": found.abstention_rate,
        "answered_wrongly": found.wrong_answered,
        "words": cost.words,
        "calls": cost.calls,
        "tokens": cost.prompt_tokens + cost.completion_tokens,
        "p50": cost.p50,
        "p95": cost.p95,
    }
    per_query = {name: found.per_query[name] for name in TESTED}
    return Measured(row, reader, k, found.questions, values, per_query)


def top_of_sources(record: AnswerRecord, sources: int | None = None) -> AnswerRecord:
    """The first words of the best sources, as many as the answer has. sources: None: of all."""
    words = len(without_markers(record.text).split())
    texts = " ".join(source.text for source in record.sources[:sources])
    text = " ".join(texts.split()[:words])
    return replace(record, text=text, citations=(), usage=Usage(), timings={})


def base_of(row: Measured, rows: Sequence[Measured]) -> Measured | None:
    """The best row of a single leg with the same reader and budget, on the questions of a row.

    A row without single legs of its number of texts is compared with those of the budget.
    """
    ids = row.per_query["match"]

    def mean(one: Measured) -> float:
        return sum(one.per_query["match"][id_] for id_ in ids)

    for k in (row.k, None):
        singles = [
            one
            for one in rows
            if one.row in SINGLE
            and (one.reader, one.k) == (row.reader, k)
            and ids.keys() <= one.per_query["match"].keys()
        ]
        if singles:
            return max(singles, key=mean)
    return None


def compared(rows: Sequence[Measured]) -> None:
    """Compare each row with its base, with Holm's correction over rows and measures."""
    for reader in {row.reader for row in rows}:
        pairs = []
        for row in rows:
            base = base_of(row, rows) if row.reader == reader else None
            if base is not None and base is not row:
                pairs.append((row, base))
        found = [
            compare(
                row.per_query[name], {id_: base.per_query[name][id_] for id_ in row.per_query[name]}
            )
            for row, base in pairs
            for name in TESTED
        ]
        corrected = holm([one.p_value for one in found])
        for number, (row, base) in enumerate(pairs):
            row.compared = [base.row if base.k == row.k else f"{base.row}, budget"]
            for place in range(number * len(TESTED), (number + 1) * len(TESTED)):
                row.compared += [round(found[place].difference, 4), round(corrected[place], 4)]
