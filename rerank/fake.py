"""A reranker without a model, for tests and for trying things out."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from ..ask import Cost, Judgement, digest
from ..core import ModelError, Usage
from ..core.bounds import Bounds
from .config import RERANKERS, RerankerConfig
from .placing import Placing
from .pointwise.course import Scored, by_score
from .protocol import Budget, Candidate, Needs, Reranked, Task


@RERANKERS.register
class FakeRerankerConfig(RerankerConfig):
    """A reranker without a model, for tests and for trying things out: the share of the query's
    words that a hit has. It waits `milliseconds` for each hit and fails at the hit number
    `fails_at` (from 0)."""

    made_by = ".fake:FakeReranker"
    scores_texts = True

    kind: Literal["fake"] = "fake"
    milliseconds: Annotated[float, Bounds(0, 86_400_000)] = 0.0
    fails_at: Annotated[int, Bounds(0, 1_000_000)] | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    query: str
    text: str
    place: int


class FakeReranker:
    """The share of the query's words that a hit has. See `FakeRerankerConfig`."""

    def __init__(self, config: FakeRerankerConfig | None = None) -> None:
        self._config = config or FakeRerankerConfig()
        self._placing: Placing[_Question, float] = Placing(_FakeJudge(self._config))

    kind = "fake"
    needs = Needs()

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return self._placing.rerank(
            tasks, lambda task: by_score(task, self._question, Scored), budget
        )

    def _question(self, task: Task, candidate: Candidate, place: int) -> _Question:
        return _Question(task.query, candidate.read(self._config.text), place)


class _FakeJudge:
    def __init__(self, config: FakeRerankerConfig) -> None:
        self._config = config

    def costs(self, questions: Sequence[_Question]) -> list[Cost]:
        return [Cost(1, _tokens(question)) for question in questions]

    def ask(self, questions: Sequence[_Question]) -> list[Judgement[float]]:
        found = []
        for question in questions:
            time.sleep(self._config.milliseconds / 1e3)
            if question.place == self._config.fails_at:
                raise ModelError(f"the fake reranker fails at hit {question.place}, as configured")
            words = question.query.lower().split()
            share = sum(word in question.text.lower().split() for word in words)
            usage = Usage(calls=1, prompt_tokens=_tokens(question))
            found.append(Judgement(share / max(1, len(words)), usage))
        return found

    def key(self, question: _Question) -> Hashable:
        return digest(question.query), digest(question.text), question.place


def _tokens(question: _Question) -> int:
    return len(question.query.split()) + len(question.text.split())
