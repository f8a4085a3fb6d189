"""Asks a collection questions with gold answers, and evaluates its answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import InvalidInputError, NoProgress, Progress, Query
from ...generate.safety import same_boundary
from ...search.answering.evidence import content_words
from ...search.answering.request import AnswerRequest
from ..beir import BeirDataset
from .measures import AnswerEvaluation, answer_measures, evaluate_records
from .questions import QuestionSet
from .records import AnswerRecord, AnswersFile

if TYPE_CHECKING:
    from ...search import Collection


def evaluate_answers(
    collection: Collection,
    dataset: BeirDataset | QuestionSet,
    request: Mapping[str, Any] | None = None,
    *,
    path: Path | None = None,
    progress: Progress | None = None,
) -> AnswerEvaluation:
    """Answer every question of a data set from a collection, and evaluate the answers.

        dataset = BeirDataset.open("xquad_en")
        found = evaluate_answers(collection, dataset, {"generator": "extractive"})
        print(found.measures["match"], found.measures["citation_F1"])

    Questions are answered one after the other, so that times are comparable. All prompts have the
    same boundary: with temperature 0, a local model gives the same answers again.

    request: fields of AnswerRequest for all questions, without `question` and `turns`.
    path:    file to which the answers are written, one JSON object a line. If it exists, its
             answers are used, and only the other questions are answered.

    Raises InvalidInputError for a data set without questions or answers and for an invalid request,
    SourceError for a file whose answers were made in another way, and the errors of
    `Collection.answer`.
    """
    questions = dataset if isinstance(dataset, QuestionSet) else QuestionSet.of(dataset)
    if not questions.questions:
        raise InvalidInputError("has no questions", field="dataset")
    fields = dict(request or {})
    first = asked(questions.questions[0], fields)
    name = first.generator or collection.generators.default
    config = collection.generators.config(name)
    terms = content_words(config.language)
    progress = progress or NoProgress()
    file = None
    records: dict[str, AnswerRecord] = {}
    if path is not None:
        plain = AnswerRequest.parse({**fields, "question": "?"}).model_dump(mode="json")
        plain = {key: value for key, value in plain.items() if key not in ("question", "turns")}
        del plain["search"]["query"]
        info = collection.info()
        made = {
            "generator": {"name": name, **config.model_dump(mode="json")},
            "request": plain,
            "collection": {key: info[key] for key in ("documents", "generation")},
        }
        file = AnswersFile(path, made)
        records = file.records
    collection.load()
    collection.generators.get(name)
    try:
        progress.start("answer", len(questions.questions), "questions")
        for question in questions.questions:
            if question.id not in records:
                with same_boundary():
                    answer = collection.answer(asked(question, fields))
                record = AnswerRecord.of(question.id, answer)
                records[question.id] = record
                if file is not None:
                    answers, gold = questions.answers[question.id], questions.gold(question.id)
                    file.add(record, answer_measures(record, answers, gold, terms))
            progress.advance(1)
    finally:
        progress.close()
        if file is not None:
            file.close()
    return evaluate_records(records, questions, terms)


def asked(question: Query, fields: Mapping[str, Any]) -> AnswerRequest:
    """Return the request that asks a question.

    fields: other fields of AnswerRequest -> their values.

    Raises InvalidInputError if `fields` contains `question` or `turns`.
    """
    for name in ("question", "turns"):
        if name in fields:
            raise InvalidInputError("differs for each question; leave it out", field=name)
    return AnswerRequest.parse({**fields, "question": question.text})
