"""What rerankers share that score each hit by itself."""

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
    """A query and what is read of a hit; `place` is that of the hit, from 0."""

    query: str
    text: str
    place: int = 0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Digests of query and text."""
        return digest(self.query), digest(self.text)


@dataclass(frozen=True, slots=True)
class Scored:
    """What is found of a hit.

    reasons: for the caller. key: orders the hits in the place of the score; None = the score does.
    """

    score: float
    reasons: Mapping[str, Any] = field(default_factory=dict)
    key: float | None = None


class ScoringReranker(Generic[Q, A]):
    """Asks a judge of each hit by itself, and orders the hits by what it says. Thread-safe."""

    needs = Needs()

    def __init__(
        self,
        judge: Judge[Q, A],
        question: Callable[[str, str, int], Q],
        read: Callable[[A], Scored],
        *,
        part: Literal["passage", "document"],
    ) -> None:
        """question: of a query, a text and the place of its hit. read: what an answer says. part:
        what is read of a hit."""
        self._placing: Placing[Q, A] = Placing(judge)
        self._make, self._read, self._part = question, read, part

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """See Reranker."""
        return self._placing.rerank(tasks, self._course, budget)

    def _course(self, task: Task) -> Course[Q, A]:
        return by_score(task, self._question, self._read)

    def _question(self, task: Task, candidate: Candidate, place: int) -> Q:
        return self._make(task.query, candidate.read(self._part), place)


def by_score(
    task: Task,
    question: Callable[[Task, Candidate, int], Q],
    read: Callable[[A], Scored],
) -> Generator[Sequence[Q], Sequence[A | None], list[Placed]]:
    """One round, a question for each candidate; the higher its score the better the place.

    question: of a task, a candidate and its place. read: what an answer says.
    """
    answers = yield [question(task, one, i) for i, one in enumerate(task.candidates)]
    return placed([None if answer is None else read(answer) for answer in answers])


def placed(found: Sequence[Scored | None]) -> list[Placed]:
    """Candidates by score, descending; equal ones, and then those without a score, as they were.

    Raises ModelError for a score that is not a finite number: it has no place in an order.
    """
    keys: dict[int, float] = {}
    for i, one in enumerate(found):
        if one is not None:
            keys[i] = one.score if one.key is None else one.key
            if not math.isfinite(keys[i]):
                raise ModelError(
                    f"the model's score of candidate {i} is {keys[i]}, not a finite number"
                )
    judged = [
        Placed(i, one.score, one.reasons)
        for i in sorted(keys, key=lambda i: -keys[i])
        if (one := found[i]) is not None
    ]
    return [*judged, *(Placed(i, judged=False) for i in range(len(found)) if i not in keys)]
