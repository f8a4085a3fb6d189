"""Courses whose result is an order: every candidate of a task, placed once.

The questions of all tasks are asked together, see `ask.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from .. import ask
from ..ask import Finished, Judge, Rounds
from ..ask.course import A, Q
from ..core import UNGUARDED
from .protocol import Budget, Placed, Reranked, Task

Outcome = ask.Outcome[Sequence[Placed]]

Course = ask.Course[Q, A, Sequence[Placed]]
"""See `ask.Course`: the order has every candidate of the task once, also when it was cut short."""


class Placing(Rounds[Q, A]):
    """Runs the courses of a reranker with one judge, whose judgements it remembers. Thread-safe.

    remembered: judgements kept at most; the latest used are.
    """

    def __init__(self, judge: Judge[Q, A], *, remembered: int = 100_000) -> None:
        super().__init__(judge, model="the reranker's model", remembered=remembered)

    def rerank(
        self,
        tasks: Sequence[Task],
        course: Callable[[Task], Course[Q, A]],
        budget: Budget | None = None,
    ) -> list[Reranked]:
        """See `Reranker.rerank`. `course` gets a task of which the budget lets it see all."""
        budget = budget or Budget()
        seen = [replace(task, candidates=task.candidates[: budget.candidates]) for task in tasks]
        guard = tasks[0].guard if tasks else UNGUARDED
        found = self.run((course(task) for task in seen), budget, guard)
        return [
            _reranked(one, len(part.candidates), len(task.candidates))
            for one, part, task in zip(found, seen, tasks, strict=True)
        ]


def _reranked(found: Finished[Sequence[Placed]], judged: int, total: int) -> Reranked:
    """judged: how many of all candidates the course was given."""
    order = found.result
    if order is None:
        order = [Placed(i, judged=False) for i in range(judged)]
    places = sorted(placed.index for placed in order)
    assert places == list(range(judged)), "a course returns every candidate once"
    rest = [Placed(i, judged=False) for i in range(judged, total)]
    return Reranked(
        order=[*order, *rest],
        status="partial" if rest and found.status == "complete" else found.status,
        usage=found.usage,
        seconds=found.seconds,
        truncated=found.truncated,
        warnings=found.warnings,
        error=found.error,
    )
