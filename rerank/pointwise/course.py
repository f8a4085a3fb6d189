"""The course of every reranker that scores each hit by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ...core import ModelError
from ..placing import Course
from ..protocol import Candidate, Placed, Task

Q = TypeVar("Q")


def by_score(
    task: Task,
    question: Callable[[Task, Candidate, int], Q],
    reasons: Callable[[float], Mapping[str, Any]] = lambda _: {},
) -> Course[Q, float]:
    """One round, a question for each candidate; the higher its answer the better the place.

    question: of a task, a candidate and its place. reasons: of an answer, for the caller.
    """
    answers = yield [question(task, one, i) for i, one in enumerate(task.candidates)]
    return placed(answers, reasons)


def placed(
    scores: Sequence[float | None],
    reasons: Callable[[float], Mapping[str, Any]] = lambda _: {},
) -> list[Placed]:
    """Candidates by score, descending; equal ones, and then those without a score, as they were.

    Raises ModelError for a score that is not a finite number: it has no place in an order.
    """
    for i, score in enumerate(scores):
        if score is not None and not math.isfinite(score):
            raise ModelError(f"the model's score of candidate {i} is {score}, not a finite number")
    judged = [i for i, score in enumerate(scores) if score is not None]
    judged.sort(key=lambda i: -(scores[i] or 0.0))
    rest = [i for i, score in enumerate(scores) if score is None]
    return [
        *(Placed(i, score, reasons(score)) for i in judged if (score := scores[i]) is not None),
        *(Placed(i, judged=False) for i in rest),
    ]
