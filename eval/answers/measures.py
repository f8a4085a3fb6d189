"""The measures of answers to questions with gold answers and gold passages.

    match      1 if the answer contains a gold answer as adjacent words (the string exact match of
               ALCE). Answers are sentences, so this decides whether an answer is right. Longer
               answers contain a gold answer more often: compare `Cost.words`.
    EM, F1     exact match and token F1 of SQuAD, for answers that consist of the answer alone
    answer_recall, answer_recall@k
               1 if one of the sources that were sent (the best k of them) contains a gold answer
    citation_precision, citation_recall, citation_F1
               of the cited documents, against the gold passages
    lexical_precision, lexical_recall, lexical_F1
               of the citations of each sentence, by words (`twindex.eval.answers.citations`)

Every measure is a mean over all questions. A question without an answer in the results counts as 0.
The outcome "no_answer" counts as 1 if the question is marked as unanswerable, else as 0. Any other
outcome counts as 0 for an unanswerable question. `answer_recall` is always 0 for an unanswerable
question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, fields

import numpy as np

from ...core import InvalidInputError, Usage
from ...generate.citing.support import sentences as sentence_spans
from .citations import CitedSentence, Scores, Terms, cited_support, gold_citations, word_support
from .coverage import accuracy_at, area_under_accuracy, nauc
from .matching import (
    contains_answer,
    exact_match,
    first_with_answer,
    token_f1,
    without_markers,
)
from .questions import QuestionSet
from .records import AnswerRecord

CUTOFFS = (1, 5)
"""Values of k in `answer_recall@k`."""

RECALLS = ("answer_recall", *(f"answer_recall@{k}" for k in CUTOFFS))
MEASURES = (
    *("match", "EM", "F1"),
    *RECALLS,
    *("citation_precision", "citation_recall", "citation_F1"),
    *("lexical_precision", "lexical_recall", "lexical_F1"),
)
"""Names of all measures."""

COVERAGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the questions in `Coverage.accuracy`."""

RULE = "insufficient sources"
"""`reason` of an answer that the calibrated rule refused."""

_WORD = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Accuracy if only the questions with the highest confidence are answered.

    Accuracy is the mean of `match`.

    accuracy: share of the questions that are answered -> accuracy among them.
    area:     mean accuracy over all shares. 1 minus `area` is the area under the risk-coverage
              curve.
    nauc:     normalised area over the abstention rates 0 to 0.9: 0 for a random confidence, 1 for
              a perfect one. None if all answers are right or all are wrong.
    """

    accuracy: Mapping[float, float]
    area: float
    nauc: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of an answer.

    calls, prompt_tokens, completion_tokens: mean numbers of calls and tokens of the generator's
                model per question.
    words:      mean number of words of the answers that were given.
    p50, p95:   median and 95th percentile of the milliseconds per question, search included.
    first_p50, first_p95: median and 95th percentile of the milliseconds from the start of the
                generator to its first text.
    """

    calls: float
    prompt_tokens: float
    completion_tokens: float
    words: float
    p50: float
    p95: float
    first_p50: float
    first_p95: float


@dataclass(frozen=True, slots=True)
class AnswerEvaluation:
    """The evaluation of the answers to a set of questions.

    measures:     measure -> mean over all questions.
    per_query:    measure -> question id -> value.
    questions:    number of questions.
    unanswerable: number of questions that are marked as having no answer.
    missing:      number of questions without a result. They count as wrong.
    abstention_rate: share of all questions with the outcome "no_answer".
    wrong_answered:  share of all questions that were answered wrongly (`match` is 0).
    accuracy_answered: mean `match` of the questions that were answered; None if none was.
    refused:      reason -> number of questions with the outcome "no_answer" for this reason.
    coverage:     accuracy by coverage; None if answers have no confidence, or if the rule of
                  abstention refused some questions. To measure it, set `abstain` to false.
    cost:         cost of an answer; None if no question has a result.
    """

    measures: Mapping[str, float]
    per_query: Mapping[str, Mapping[str, float]]
    questions: int
    unanswerable: int
    missing: int
    abstention_rate: float
    wrong_answered: float
    accuracy_answered: float | None
    refused: Mapping[str, int]
    coverage: Coverage | None
    cost: Cost | None


def answer_measures(
    record: AnswerRecord | None, answers: Sequence[str], gold: Set[str], terms: Terms
) -> dict[str, float]:
    """Return the value of each measure for one question; see the module.

    record:  the answer; None if the question has no result.
    answers: the gold answers; empty if the question has no answer.
    gold:    ids of the gold passages.
    terms:   returns the content words of a text.
    """
    if record is None:
        return dict.fromkeys(MEASURES, 0.0)
    found = first_with_answer([source.text for source in record.sources], answers)
    recall = {"answer_recall": float(found is not None)}
    recall |= {f"answer_recall@{k}": float(found is not None and found <= k) for k in CUTOFFS}
    if record.outcome == "no_answer" or not answers:
        right = float(record.outcome == "no_answer" and not answers)
        return {**dict.fromkeys(MEASURES, right), **recall}
    text = without_markers(record.text)
    by_number = {source.number: source for source in record.sources}
    cited = {
        by_number[number].id
        for span in record.citations
        for number in span.numbers
        if number in by_number
    }
    strange = {
        number for span in record.citations for number in span.numbers if number not in by_number
    }
    invalid = len(strange | set(record.invalid_citations))
    lexical = cited_support(
        cited_sentences(record),
        {number: f"{source.title}\n{source.text}" for number, source in by_number.items()},
        word_support(terms),
        invalid=len(set(record.invalid_citations)),
    )
    return {
        "match": float(contains_answer(text, answers)),
        "EM": exact_match(text, answers),
        "F1": token_f1(text, answers),
        **recall,
        **_named("citation", gold_citations(cited, gold, invalid=invalid)),
        **_named("lexical", lexical),
    }


def cited_sentences(record: AnswerRecord) -> list[CitedSentence]:
    """Return the sentences of an answer, each with the numbers of the sources that it cites.

    A citation belongs to the sentence in which its statement ends. A part without words, such as a
    marker between two sentences, is no sentence.
    """
    spans = [
        (start, end)
        for start, end in sentence_spans(record.text)
        if _WORD.search(without_markers(record.text[start:end]))
    ]
    numbers: list[list[int]] = [[] for _ in spans]
    for citation in record.citations:
        before = [i for i, (start, _) in enumerate(spans) if start < citation.end]
        if before:
            numbers[before[-1]].extend(citation.numbers)
    return [
        CitedSentence(without_markers(record.text[start:end]), own)
        for (start, end), own in zip(spans, numbers, strict=True)
    ]


def evaluate_records(
    records: Mapping[str, AnswerRecord], questions: QuestionSet, terms: Terms
) -> AnswerEvaluation:
    """Evaluate answers. The mean of each measure is over all questions of the set.

    records: question id -> answer. Answers to other questions are ignored.
    terms:   returns the content words of a text.
    """
    ids = [question.id for question in questions.questions]
    if not ids:
        raise InvalidInputError("must have at least one question", field="questions")
    values = {
        id_: answer_measures(records.get(id_), questions.answers[id_], questions.gold(id_), terms)
        for id_ in ids
    }
    per_query = {name: {id_: values[id_][name] for id_ in ids} for name in MEASURES}
    own = {id_: records[id_] for id_ in ids if id_ in records}
    answered = [per_query["match"][id_] for id_ in own if own[id_].outcome == "answered"]
    refused: dict[str, int] = {}
    for record in own.values():
        if record.outcome == "no_answer":
            reason = record.reason or "model"
            refused[reason] = refused.get(reason, 0) + 1
    return AnswerEvaluation(
        measures={name: sum(of.values()) / len(ids) for name, of in per_query.items()},
        per_query=per_query,
        questions=len(ids),
        unanswerable=sum(not questions.answers[id_] for id_ in ids),
        missing=len(ids) - len(own),
        abstention_rate=sum(refused.values()) / len(ids),
        wrong_answered=sum(value == 0 for value in answered) / len(ids),
        accuracy_answered=sum(answered) / len(answered) if answered else None,
        refused=refused,
        coverage=_coverage(own, per_query["match"], len(ids)),
        cost=_cost(list(own.values())),
    )


def _named(prefix: str, scores: Scores) -> dict[str, float]:
    return {
        f"{prefix}_precision": scores.precision,
        f"{prefix}_recall": scores.recall,
        f"{prefix}_F1": scores.f1,
    }


def _coverage(
    records: Mapping[str, AnswerRecord], match: Mapping[str, float], questions: int
) -> Coverage | None:
    confidences = {
        id_: 0.0 if record.reason == "no sources" else record.confidence
        for id_, record in records.items()
    }
    known = [one for one in confidences.values() if one is not None]
    if len(known) < questions or any(record.reason == RULE for record in records.values()):
        return None
    values = np.array([match[id_] for id_ in confidences])
    confidence = np.array(known)
    normalised = nauc(values, confidence)
    return Coverage(
        accuracy={share: accuracy_at(values, confidence, share) for share in COVERAGES},
        area=area_under_accuracy(values, confidence),
        nauc=None if np.isnan(normalised) else normalised,
    )


def _cost(records: Sequence[AnswerRecord]) -> Cost | None:
    if not records:
        return None
    usage = sum((record.usage for record in records), Usage())
    spent = [milliseconds(record.timings) for record in records]
    first = [r.timings["first_token"] for r in records if "first_token" in r.timings] or [0.0]
    lengths = [
        len(without_markers(record.text).split())
        for record in records
        if record.outcome == "answered"
    ]
    numbers = {field.name: getattr(usage, field.name) / len(records) for field in fields(usage)}
    return Cost(
        calls=numbers["calls"],
        prompt_tokens=numbers["prompt_tokens"],
        completion_tokens=numbers["completion_tokens"],
        words=sum(lengths) / len(lengths) if lengths else 0.0,
        p50=float(np.percentile(spent, 50)),
        p95=float(np.percentile(spent, 95)),
        first_p50=float(np.percentile(first, 50)),
        first_p95=float(np.percentile(first, 95)),
    )


def milliseconds(timings: Mapping[str, float]) -> float:
    """Return the milliseconds of an answer: the sum of its stages, without loading models."""
    return sum(spent for stage, spent in timings.items() if stage not in ("load", "first_token"))
