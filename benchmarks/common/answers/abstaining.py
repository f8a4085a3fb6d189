"""The rule of abstention: fitted to half of a set, measured on the other half and other sets."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from common.answers.rows import ROWS, search_fields

from twindex.core import Query
from twindex.eval.answers import (
    AnswerRecord,
    Examples,
    QuestionSet,
    fit_abstention,
    observe,
)
from twindex.eval.answers.coverage import accuracy_at, area_under_accuracy, nauc
from twindex.eval.answers.measures import COVERAGES, answer_measures
from twindex.eval.answers.running import asked
from twindex.search import Collection
from twindex.search.answering.evidence import content_words

TERMS = content_words("en")


def halves(questions: QuestionSet) -> tuple[QuestionSet, QuestionSet]:
    """The questions in two halves, by their ids."""
    parts: tuple[list[Query], list[Query]] = ([], [])
    for question in questions.questions:
        parts[zlib.crc32(question.id.encode()) % 2].append(question)
    return tuple(dataclasses.replace(questions, questions=part) for part in parts)  # type: ignore[return-value]


def right(collection: Collection, questions: QuestionSet, found: Examples, fields: Any) -> Any:
    """1 for each example whose extractive answer has a gold answer and whose gold is there."""
    by_id = {question.id: question for question in questions.questions}
    values = []
    for id_, removed in zip(found.questions, found.removed.tolist(), strict=True):
        gold = sorted(questions.gold(id_))
        row = ROWS["without gold" if removed else "fused"]
        search = search_fields(row, gold, [], by_id[id_])
        answer = collection.answer(asked(by_id[id_], {**fields, "search": search}))
        record = AnswerRecord.of(id_, answer)
        match = answer_measures(record, questions.answers[id_], frozenset(gold), TERMS)["match"]
        values.append(match if not removed else 0.0)
    return np.array(values)


def abstention(
    sets: Mapping[str, tuple[Collection, QuestionSet]], fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The figures of each rule on each set. fields: of the answers."""
    fitted, tested = {}, {}
    for name, (collection, questions) in sets.items():
        dev, test = halves(questions)
        fitted[name] = fit_abstention(observe(collection, dev, fields)).rule
        found = observe(collection, test, fields)
        tested[name] = found, right(collection, test, found, fields)
    rows = []
    for source, rule in fitted.items():
        for name, (found, answered) in tested.items():
            if any(rule.missing(values) for values in found.values):
                continue
            confidence = np.array([rule.confidence(values) for values in found.values])
            for kind, chosen in {
                "with and without gold": np.ones(len(confidence), np.bool_),
                "with gold": ~found.removed,
            }.items():
                for label, values in {
                    "sources contain the answer": found.sufficient.astype(float),
                    "answer is right": answered,
                }.items():
                    own, sure = values[chosen], confidence[chosen]
                    normalised = nauc(own, sure)
                    rows.append({
                        "fitted": source, "set": name, "questions": kind, "accuracy": label,
                        "examples": int(chosen.sum()),
                        "curve": {str(c): accuracy_at(own, sure, c) for c in COVERAGES},
                        "area": area_under_accuracy(own, sure),
                        "nauc": None if np.isnan(normalised) else normalised,
                    })  # fmt: skip
            answers = confidence >= rule.threshold
            rows[-1] |= {
                "answered with gold": float(answers[~found.removed].mean()),
                "answered without gold": float(answers[found.removed].mean()),
            }
    return rows
