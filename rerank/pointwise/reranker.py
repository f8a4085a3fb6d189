"""A language model is asked of each passage alone whether it helps to answer the query.

Mode "scoring": the score is p(Yes) / (p(Yes) + p(No)), as in Liang et al., "Holistic evaluation of
language models" (2022), and Zhuang et al., "Beyond yes and no" (2023). Mode "generation", for
servers without likelihoods: 1 where the model writes yes, 0 where no, and 0.5 where neither.
"""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from ...ask import Cost, Judgement, digest
from ...ask.asking import Asking, Mode, calls
from ...ask.loading import load_language_model
from ...ask.reading import Reader
from ...core import ModelError, Usage
from ...llm import LanguageModel
from .. import prompts
from ..config import Budget, PointwiseConfig
from ..placing import Course, Outcome, Placing
from ..protocol import Candidate, Needs, Placed, Reranked, Task
from .course import placed

WRITTEN = 4
"""Tokens of a written answer."""

UNKNOWN = 0.5
"""The score where a written answer says neither yes nor no."""

_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Question:
    query: str
    text: str
    key: tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Relevance:
    """score in [0, 1]; answer: what was written where it could not be read, else None."""

    score: float
    answer: str | None = None


class PointwiseReranker:
    """See the module and `PointwiseConfig`.

    reasons: in mode "generation", `answer` where the model's could not be read; such hits stand
    between the others, and a warning counts them.

    model: instead of that of the configuration. Raises UnsupportedError for one that cannot be
    asked in this mode.
    """

    kind = "pointwise"
    needs = Needs()

    def __init__(self, config: PointwiseConfig, model: LanguageModel | None = None) -> None:
        model = load_language_model(config.llm) if model is None else model
        self._config = config
        self._placing: Placing[_Question, Relevance] = Placing(
            _Judge(model, config.mode, config.passage_tokens)
        )

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return self._placing.rerank(tasks, self._course, budget)

    def _course(self, task: Task) -> Course[_Question, Relevance]:
        query = digest(task.query)
        questions = [self._question(task.query, query, one) for one in task.candidates]
        answers = yield questions
        unread = {i: a.answer for i, a in enumerate(answers) if a and a.answer is not None}
        order = placed([None if answer is None else answer.score for answer in answers])
        warnings = [f"{len(unread)} answers were neither yes nor no"] if unread else []
        return Outcome([_explained(one, unread) for one in order], warnings=warnings)

    def _question(self, query: str, key: bytes, candidate: Candidate) -> _Question:
        text = candidate.read(self._config.text)
        return _Question(query, text, (key, digest(text)))


class _Judge:
    def __init__(self, model: LanguageModel, mode: Mode, passage_tokens: int) -> None:
        self._asking = Asking(model, mode)
        self._reader = Reader(model, passage_tokens)
        self._frame = self._reader.frame(prompts.pointwise("", ""))
        self._answers = [self._reader.spaced(word, begun=False) for word in ("Yes", "No")]
        self._reader.check_limit(self._frame + passage_tokens, field="passage_tokens")

    def costs(self, questions: Sequence[_Question]) -> list[Cost]:
        scoring = self._asking.mode == "scoring"
        # A server reads a prompt once for each answer whose likelihood it is asked for.
        asked = len(self._answers) if scoring and self._reader.remote else 1
        written = 0 if scoring else WRITTEN
        return [Cost(asked, asked * (self._size(question) + written)) for question in questions]

    def key(self, question: _Question) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[_Question]) -> list[Judgement[Relevance]]:
        found: dict[int, Judgement[Relevance]] = {}
        for numbers in calls(range(len(questions)), lambda n: questions[n].key[0]):
            asked = [questions[number] for number in numbers]
            for number, (answer, usage) in zip(numbers, self._read(asked), strict=True):
                one = questions[number]
                cut = self._reader.passage(one.text).truncated
                found[number] = Judgement(answer, usage, one.key[1:] if cut else ())
        return [found[number] for number in range(len(questions))]

    def _read(self, questions: Sequence[_Question]) -> list[tuple[Relevance, Usage]]:
        asked = [
            self._reader.prompt(
                prompts.pointwise(
                    self._reader.query(one.query).text, self._reader.passage(one.text).text
                )
            )
            for one in questions
        ]
        if self._asking.mode == "generation":
            return [(said(a.text), a.usage) for a in self._asking.generate(asked, WRITTEN)]
        sizes = [self._size(question) for question in questions]
        scores, usages = self._asking.likelihood(asked, self._answers, sizes)
        return [(Relevance(_yes(*row)), usage) for row, usage in zip(scores, usages, strict=True)]

    def _size(self, question: _Question) -> int:
        """Tokens of a prompt, about."""
        passage = self._reader.passage(question.text).tokens
        return self._frame + self._reader.query(question.query).tokens + passage


def said(answer: str) -> Relevance:
    """What a written answer says: the one of yes and no that occurs in it."""
    words = {word.lower() for word in _WORD.findall(answer)}
    if len(words) != 1:
        return Relevance(UNKNOWN, answer)
    return Relevance(float(words == {"yes"}))


def _yes(yes: float, no: float) -> float:
    """The probability of yes against no, from their log-likelihoods."""
    margin = float(yes - no)
    if not math.isfinite(margin):
        raise ModelError("the model gives likelihoods that are not numbers")
    if margin >= 0:
        return 1 / (1 + math.exp(-margin))
    return math.exp(margin) / (1 + math.exp(margin))


def _explained(one: Placed, unread: dict[int, str]) -> Placed:
    if one.index not in unread:
        return one
    reasons: dict[str, Any] = {"answer": unread[one.index]}
    return Placed(one.index, one.score, reasons, one.judged)
