"""The course of every reranker that scores each hit by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...core import ModelError
from ..protocol import Candidate, Placed, Task

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Scored:
    """What is found of a hit.

    reasons: for the caller. key: orders the hits in the place of the score; None = the score does.
    """

    score: float
    reasons: Mapping[str, Any] = field(default_factory=dict)
    key: float | None = None


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
