"""A reranker without a model, for tests and experiments."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from typing import Annotated, Literal

from ..ask import Cost, Judgement
from ..core import ModelError, Usage
from ..core.bounds import Bounds
from .config import RERANKERS, RerankerConfig
from .scoring import Question, Scored, ScoringReranker


@RERANKERS.register
class FakeRerankerConfig(RerankerConfig):
    """A reranker without a model, for tests and experiments.

    The score of a hit is the fraction of the query's words that occur in its text.
    """

    made_by = ".fake:FakeReranker"
    scores_texts = True

    kind: Literal["fake"] = "fake"
    milliseconds: Annotated[float, Bounds(0, 86_400_000)] = 0.0
    """Milliseconds to wait before each hit is scored."""
    fails_at: Annotated[int, Bounds(0, 1_000_000)] | None = None
    """Position of the hit, from 0, at which the reranker fails; None = it never fails."""


class FakeReranker(ScoringReranker[Question, float]):
    """Scores a hit by the fraction of the query's words that occur in its text.

    See `FakeRerankerConfig`.
    """

    kind = "fake"

    def __init__(self, config: FakeRerankerConfig | None = None) -> None:
        config = config or FakeRerankerConfig()
        super().__init__(_FakeJudge(config), Question, Scored, part=config.text)


class _FakeJudge:
    def __init__(self, config: FakeRerankerConfig) -> None:
        self._config = config

    def costs(self, questions: Sequence[Question]) -> list[Cost]:
        return [Cost(1, _tokens(question)) for question in questions]

    def ask(self, questions: Sequence[Question]) -> list[Judgement[float]]:
        found = []
        for question in questions:
            time.sleep(self._config.milliseconds / 1e3)
            if question.position == self._config.fails_at:
                raise ModelError(
                    f"the fake reranker fails at hit {question.position}, as set in `fails_at`"
                )
            words = question.query.lower().split()
            share = sum(word in question.text.lower().split() for word in words)
            usage = Usage(calls=1, prompt_tokens=_tokens(question))
            found.append(Judgement(share / max(1, len(words)), usage))
        return found

    def key(self, question: Question) -> Hashable:
        return *question.key, question.position


def _tokens(question: Question) -> int:
    return len(question.query.split()) + len(question.text.split())
