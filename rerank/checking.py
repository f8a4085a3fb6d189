"""Calls rerankers, which other packages may have written, and checks what they return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..ask.faults import faults_named
from ..core import InvalidInputError, ModelError, TwindexError
from ..core.trace.spans import span
from .protocol import Budget, Reranked, Reranker, Task, failed


def reranked(
    reranker: Reranker, tasks: Sequence[Task], budget: Budget | None, part: str
) -> list[Reranked]:
    """Rerank several tasks, which share one guard. See `Reranker.rerank`.

    part: name of the reranker in errors, such as "reranker 'mine'".

    If the reranker raises an exception or breaks its protocol, the results have the status
    "failed". Raises InvalidInputError of the reranker, and the exceptions of the guard.
    """
    guard = tasks[0].guard
    try:
        with faults_named(part, guard), span("rerank", {"twindex.part": part}):
            found = reranker.rerank(tasks, budget)
        return checked(found, tasks, part)
    except InvalidInputError:  # The input is wrong; the model did not fail.
        raise
    except TwindexError as error:
        guard.check()
        return [failed(len(task.candidates), error) for task in tasks]


def checked(found: Any, tasks: Sequence[Task], part: str) -> list[Reranked]:
    """Return the results of a reranker. Raises ModelError if they break the protocol."""
    if not isinstance(found, Sequence) or len(found) != len(tasks):
        many = f"{len(found)} results" if isinstance(found, Sequence) else type(found).__name__
        raise ModelError(f"{part} returned {many} for {len(tasks)} tasks")
    for task, one in zip(tasks, found, strict=True):
        if not isinstance(one, Reranked):
            raise ModelError(f"{part} returned {type(one).__name__} in place of Reranked")
        if sorted(placed.index for placed in one.order) != list(range(len(task.candidates))):
            raise ModelError(
                f"{part} must return each of {len(task.candidates)} candidates once, got "
                f"{len(one.order)} places"
            )
    return list(found)
