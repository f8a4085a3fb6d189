"""Runs ranking algorithms that ask a model questions, and returns the new order of candidates.

Such an algorithm is called a course: a generator that yields questions and receives answers; see
`ask.course`. A course ranks the candidates of one task (one query). The questions of all tasks are
batched together; see `ask.rounds`.
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
"""An `ask.Course` whose result is an order of candidates.

The order contains every candidate of the task exactly once, even if the budget ran out.
"""


class Placing(Rounds[Q, A]):
    """Reranks tasks by running a ranking algorithm (`ask.Course`) for each. Thread-safe.

    judge:      object that answers the questions of the algorithms, usually with a model.
    remembered: maximum number of cached answers; the least recently used ones are dropped.
    """

    def __init__(self, judge: Judge[Q, A], *, remembered: int = 100_000) -> None:
        super().__init__(judge, model="the reranker's model", remembered=remembered)

    def rerank(
        self,
        tasks: Sequence[Task],
        course: Callable[[Task], Course[Q, A]],
        budget: Budget | None = None,
    ) -> list[Reranked]:
        """Rerank several tasks; see `Reranker.rerank`.

        course: function that starts the ranking algorithm for a task. It receives the task without
            the candidates that exceed `Budget.candidates`.
        """
        budget = budget or Budget()
        seen = [replace(task, candidates=task.candidates[: budget.candidates]) for task in tasks]
        guard = tasks[0].guard if tasks else UNGUARDED
        found = self.run((course(task) for task in seen), budget, guard)
        return [
            _reranked(one, len(part.candidates), len(task.candidates))
            for one, part, task in zip(found, seen, tasks, strict=True)
        ]


def _reranked(found: Finished[Sequence[Placed]], judged: int, total: int) -> Reranked:
    """Return the result of a ranking algorithm as a Reranked.

    judged: number of candidates that the algorithm received.
    total:  number of all candidates of the task. Candidates that the algorithm did not receive come
            last.
    """
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
