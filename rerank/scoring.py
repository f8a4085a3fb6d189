"""Shared code of rerankers that score each hit independently of the other hits."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal

from ..ask import Judge, digest
from ..ask.course import A, Q
from ..core import ModelError
from .placing import Course, Placing
from .protocol import Budget, Candidate, Needs, Placed, Reranked, Task


@dataclass(slots=True)
class Question:
    """A question for a judge: how relevant is the text of one hit to a query?

    position: position of the hit in the task, from 0.
    """

    query: str
    text: str
    position: int = 0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Return the digests of query and text, as the key of a cached answer."""
        return digest(self.query), digest(self.text)


@dataclass(frozen=True, slots=True)
class Scored:
    """The score of one hit.

    reasons: details for the caller, as JSON values.
    key:     value by which hits are sorted, largest first; None: hits are sorted by `score`.
    """

    score: float
    reasons: Mapping[str, Any] = field(default_factory=dict)
    key: float | None = None


class ScoringReranker(Generic[Q, A]):
    """A reranker that asks for the score of each hit independently, and sorts the hits by score.

    Thread-safe.
    """

    needs = Needs()

    def __init__(
        self,
        judge: Judge[Q, A],
        question: Callable[[str, str, int], Q],
        read: Callable[[A], Scored],
        *,
        part: Literal["passage", "document"],
    ) -> None:
        """Create a reranker.

        judge:    object that answers the questions, usually with a model.
        question: function that makes a question from a query, the text of a hit and the position of
                  the hit.
        read:     function that converts an answer to a score.
        part:     text of a hit that the judge reads: its best passage or the whole document.
        """
        self._placing: Placing[Q, A] = Placing(judge)
        self._make, self._read, self._part = question, read, part

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """Rerank several tasks; see `Reranker.rerank`."""
        return self._placing.rerank(tasks, self._course, budget)

    def _course(self, task: Task) -> Course[Q, A]:
        return by_score(task, self._question, self._read)

    def _question(self, task: Task, candidate: Candidate, position: int) -> Q:
        return self._make(task.query, candidate.read(self._part), position)


def by_score(
    task: Task,
    question: Callable[[Task, Candidate, int], Q],
    read: Callable[[A], Scored],
) -> Generator[Sequence[Q], Sequence[A | None], list[Placed]]:
    """Ask one question for each candidate, in one round, and sort the candidates by score.

    question: function that makes a question from a task, a candidate and the candidate's position.
    read:     function that converts an answer to a score.
    """
    answers = yield [question(task, one, i) for i, one in enumerate(task.candidates)]
    return ranked_by_score([None if answer is None else read(answer) for answer in answers])


def ranked_by_score(found: Sequence[Scored | None]) -> list[Placed]:
    """Return the candidates sorted by score, descending. Candidates without a score come last.

    found: score of each candidate, in the order of the task; None for a candidate without a score.

    Ties, and candidates without a score, keep their order. Raises ModelError for a score that is
    not a finite number.
    """
    keys: dict[int, float] = {}
    for i, one in enumerate(found):
        if one is not None:
            keys[i] = one.score if one.key is None else one.key
            if not math.isfinite(keys[i]):
                raise ModelError(
                    f"the score of candidate {i} must be a finite number, got {keys[i]}; use "
                    "another model"
                )
    judged = [
        Placed(i, one.score, one.reasons)
        for i in sorted(keys, key=lambda i: -keys[i])
        if (one := found[i]) is not None
    ]
    return [*judged, *(Placed(i, judged=False) for i in range(len(found)) if i not in keys)]
