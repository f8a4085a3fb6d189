"""A language model is asked of each passage alone whether it helps to answer the query.

Mode "scoring": the score is p(Yes) / (p(Yes) + p(No)), as in Liang et al., "Holistic evaluation of
language models" (2022), and Zhuang et al., "Beyond yes and no" (2023). Mode "generation", for
servers without likelihoods: 1 where the model writes yes, 0 where no, and 0.5 where neither.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from ...ask import Cost, Judgement
from ...ask.answers import logistic, yes_or_no
from ...ask.asking import AnsweringModel, Mode, calls
from ...ask.reading import Reader
from ...core import Usage
from ...core.bounds import Tokens
from ...llm import LanguageModel
from ..config import RERANKERS, PromptingConfig
from ..placing import Course, Outcome
from ..protocol import Task
from ..scoring import Question, Scored, ScoringReranker, by_score

PROMPT = """\
Query: "{query}"

Passage: "{passage}"

Does the passage help to answer the query? Answer Yes or No:"""
"""The relevance generation of Liang et al. (2022) with the query first, which prompts of one query
share."""

WRITTEN = 4
"""Tokens of a written answer."""

UNKNOWN = 0.5
"""The score where a written answer says neither yes nor no."""


@RERANKERS.register
class PointwiseConfig(PromptingConfig):
    """A language model asked of each passage alone whether it is relevant."""

    made_by = ".reranker:PointwiseReranker"
    scores_texts = True

    kind: Literal["pointwise"] = "pointwise"
    mode: Mode = "scoring"
    """"scoring": the score is the probability of yes against no; "generation": 1 where the
    model writes yes, 0 where no."""
    passage_tokens: Tokens = 256
    """Tokens read of each passage, at most."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """score in [0, 1]; answer: what was written where it could not be read, else None."""

    score: float
    answer: str | None = None


class PointwiseReranker(ScoringReranker[Question, Relevance]):
    """See the module and `PointwiseConfig`.

    reasons: in mode "generation", `answer` where the model's could not be read; such hits stand
    between the others, and a warning counts them.

    model: instead of that of the configuration. Raises UnsupportedError for one that cannot be
    asked in this mode.
    """

    kind = "pointwise"

    def __init__(self, config: PointwiseConfig, model: LanguageModel | None = None) -> None:
        model = config.language_model() if model is None else model
        judge = _Judge(model, config.mode, config.passage_tokens)
        super().__init__(judge, Question, _scored, part=config.text)

    def _course(self, task: Task) -> Course[Question, Relevance]:
        order = yield from by_score(task, self._question, self._read)
        unread = sum("answer" in placed.reasons for placed in order)
        warnings = [f"{unread} answers were neither yes nor no"] if unread else []
        return Outcome(order, warnings=warnings)


class _Judge:
    def __init__(self, model: LanguageModel, mode: Mode, passage_tokens: int) -> None:
        self._asking = AnsweringModel(model, mode)
        self._reader = Reader(model, passage_tokens)
        self._frame = self._reader.frame(PROMPT.format(query="", passage=""))
        yes, no = (self._reader.spaced(word, begun=False) for word in ("Yes", "No"))
        self._answers = yes, no
        self._reader.check_limit(self._frame + passage_tokens, field="passage_tokens")

    def costs(self, questions: Sequence[Question]) -> list[Cost]:
        sizes = map(self._size, questions)
        return [self._asking.cost(size, self._reader, written=WRITTEN) for size in sizes]

    def key(self, question: Question) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[Question]) -> list[Judgement[Relevance]]:
        found: dict[int, Judgement[Relevance]] = {}
        for numbers in calls(range(len(questions)), lambda n: questions[n].key[0]):
            asked = [questions[number] for number in numbers]
            for number, (answer, usage) in zip(numbers, self._read(asked), strict=True):
                one = questions[number]
                found[number] = Judgement(answer, usage, self._reader.cut(one.key[1:], [one.text]))
        return [found[number] for number in range(len(questions))]

    def _read(self, questions: Sequence[Question]) -> list[tuple[Relevance, Usage]]:
        asked = [
            self._reader.prompt(
                PROMPT.format(
                    query=self._reader.query(one.query).text,
                    passage=self._reader.passage(one.text).text,
                )
            )
            for one in questions
        ]
        if self._asking.mode == "generation":
            return [(said(a.text), a.usage) for a in self._asking.generate(asked, WRITTEN)]
        sizes = [self._size(question) for question in questions]
        margins = self._asking.margins(asked, self._answers, sizes)
        return [(Relevance(logistic(margin)), usage) for margin, usage in margins]

    def _size(self, question: Question) -> int:
        """Tokens of a prompt, about."""
        passage = self._reader.passage(question.text).tokens
        return self._frame + self._reader.query(question.query).tokens + passage


def said(answer: str) -> Relevance:
    """What a written answer says: the one of yes and no that occurs in it."""
    found = yes_or_no(answer)
    return Relevance(UNKNOWN, answer) if found is None else Relevance(float(found))


def _scored(answer: Relevance) -> Scored:
    return Scored(answer.score, {} if answer.answer is None else {"answer": answer.answer})
