"""Pointwise reranking: a language model judges whether each passage helps to answer the query.

Mode "scoring": the score is p(Yes) / (p(Yes) + p(No)), as in Liang et al., "Holistic evaluation of
language models" (2022), and Zhuang et al., "Beyond yes and no" (2023).

Mode "generation", for servers without likelihoods: the score is 1 if the model writes yes, 0 if it
writes no, and 0.5 otherwise.
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
"""The relevance generation prompt of Liang et al. (2022). The query comes first, so all prompts of
one query share a prefix."""

ANSWER_TOKENS = 4
"""Maximum tokens of a generated answer."""

UNKNOWN = 0.5
"""Score of a generated answer that is neither yes nor no."""


@RERANKERS.register
class PointwiseConfig(PromptingConfig):
    """A language model judges each passage independently as relevant or not."""

    made_by = ".reranker:PointwiseReranker"
    scores_texts = True

    kind: Literal["pointwise"] = "pointwise"
    mode: Mode = "scoring"
    """"scoring": the score is p(yes) / (p(yes) + p(no)); "generation": the score is 1 if the model
    writes yes, 0 if it writes no, and 0.5 otherwise."""
    passage_tokens: Tokens = 256
    """Maximum tokens read of each passage; longer passages are cut."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """The relevance of a passage to the query, as the language model judges it.

    score:  relevance in [0, 1].
    answer: generated answer if it is neither yes nor no; otherwise None.
    """

    score: float
    answer: str | None = None


class PointwiseReranker(ScoringReranker[Question, Relevance]):
    """Reranks by asking a language model about each passage; see `PointwiseConfig`.

    model: the language model; None: load the one that the configuration describes.

    In mode "generation", a hit whose answer is neither yes nor no gets the score 0.5. The reasons
    of such a hit contain the `answer`, and a warning counts these hits.

    Raises UnsupportedError for a model that does not support the configured `mode`.
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
        return [self._asking.cost(size, self._reader, written=ANSWER_TOKENS) for size in sizes]

    def key(self, question: Question) -> Hashable:
        return question.key

    def ask(self, questions: Sequence[Question]) -> list[Judgement[Relevance]]:
        found: dict[int, Judgement[Relevance]] = {}
        for numbers in calls(range(len(questions)), lambda n: questions[n].key[0]):
            group = [questions[number] for number in numbers]
            for number, (answer, usage) in zip(numbers, self._read(group), strict=True):
                one = questions[number]
                found[number] = Judgement(answer, usage, self._reader.cut(one.key[1:], [one.text]))
        return [found[number] for number in range(len(questions))]

    def _read(self, questions: Sequence[Question]) -> list[tuple[Relevance, Usage]]:
        prompts = [
            self._reader.prompt(
                PROMPT.format(
                    query=self._reader.query(one.query).text,
                    passage=self._reader.passage(one.text).text,
                )
            )
            for one in questions
        ]
        if self._asking.mode == "generation":
            return [
                (parse_answer(a.text), a.usage)
                for a in self._asking.generate(prompts, ANSWER_TOKENS)
            ]
        sizes = [self._size(question) for question in questions]
        margins = self._asking.margins(prompts, self._answers, sizes)
        return [(Relevance(logistic(margin)), usage) for margin, usage in margins]

    def _size(self, question: Question) -> int:
        """Return the approximate number of tokens of the prompt for a question."""
        passage = self._reader.passage(question.text).tokens
        return self._frame + self._reader.query(question.query).tokens + passage


def parse_answer(answer: str) -> Relevance:
    """Return the relevance that a generated answer states.

    The score is 1 if "yes" occurs, 0 if "no" occurs, and `UNKNOWN` if neither or both occur.
    """
    found = yes_or_no(answer)
    return Relevance(UNKNOWN, answer) if found is None else Relevance(float(found))


def _scored(answer: Relevance) -> Scored:
    return Scored(answer.score, {} if answer.answer is None else {"answer": answer.answer})
