"""Questions with gold answers and gold passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from ...core import InvalidInputError, Qrels, Query
from ..beir import BeirDataset


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """Questions with gold answers.

    questions: the questions. Each has an entry in `answers`.
    answers:   question id -> every answer that is right; empty for a question that has no answer in
               the collection.
    qrels:     question id -> document id -> grade. Documents with a grade above 0 are the gold
               passages.
    """

    questions: Sequence[Query]
    answers: Mapping[str, Sequence[str]]
    qrels: Qrels

    @classmethod
    def create(
        cls, queries: Sequence[Query], answers: Mapping[str, Sequence[str]], qrels: Qrels
    ) -> Self:
        """Return the set of the queries that have an entry in `answers`.

        An empty entry marks a query that has no answer. Queries with answers, but without
        judgements in `qrels`, are left out. Raises InvalidInputError if no query remains.
        """
        questions = [
            query
            for query in queries
            if query.id in answers and (query.id in qrels or not answers[query.id])
        ]
        if not questions:
            raise InvalidInputError(
                f"has no entry for any of the {len(queries)} queries; equal queries must have "
                "equal ids",
                field="answers",
            )
        return cls(questions, answers, qrels)

    @classmethod
    def of(cls, dataset: BeirDataset) -> Self:
        """Return the questions of a data set with `answers.jsonl`.

        Raises InvalidInputError if it has no answers.
        """
        return cls.create([*dataset.queries, *dataset.unanswerable], dataset.answers, dataset.qrels)

    def gold(self, question: str) -> frozenset[str]:
        """Return the ids of a question's gold passages. question: id of the question."""
        grades = self.qrels.get(question, {})
        return frozenset(document for document, grade in grades.items() if grade > 0)
