"""A course under way, and what became of it."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic

from ..core import ModelError, Status, TwindexError, Usage
from .config import Limits
from .course import A, Course, Judgement, Outcome, Q, R
from .meter import Cost, Meter

log = logging.getLogger(__name__)


def as_twindex_error(error: Exception, model: str) -> TwindexError:
    """The error that a model raised; one of another library becomes a ModelError and is logged.

    model: in the message, such as "the model".
    """
    if isinstance(error, TwindexError):
        return error
    log.error("%s failed", model, exc_info=error)
    return ModelError(f"{model} failed: {type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Finished(Generic[R]):
    """What became of a course.

    result:    what it returned; None where it failed.
    usage:     what models did, in calls that ended in time. cache_hits: judgements that were
               remembered and took no call.
    seconds:   from the call of `run` until this course ended.
    truncated: texts that were not read to their end.
    error:     why the status is "failed".
    """

    result: R | None
    status: Status
    usage: Usage
    seconds: float
    truncated: int
    warnings: tuple[str, ...]
    error: TwindexError | None


@dataclass(slots=True)
class Run(Generic[Q, A, R]):
    """A course under way."""

    course: Course[Q, A, R]
    meter: Meter[Limits]
    result: R | None = None
    status: Status = "complete"
    seconds: float = 0.0
    truncated: set[str | bytes] = field(default_factory=set)
    """Digests."""
    warnings: tuple[str, ...] = ()
    error: TwindexError | None = None
    questions: Sequence[Q] = ()
    answers: list[A | None] = field(default_factory=list)
    keys: Sequence[Hashable] = ()
    costs: dict[int, Cost] = field(default_factory=dict)
    ended: bool = False

    @property
    def open(self) -> list[int]:
        """Numbers of the questions that have no answer, where there may still be one."""
        if self.status != "complete" or self.ended:
            return []
        return [i for i, answer in enumerate(self.answers) if answer is None]

    def advance(self, answers: Sequence[A | None] | None) -> None:
        """Hand the answers over, None at the start; take the next questions, or the result."""
        try:
            self.questions = next(self.course) if answers is None else self.course.send(answers)
            self.answers = [None] * len(self.questions)
            self.keys, self.costs = (), {}
        except StopIteration as end:
            outcome = end.value if isinstance(end.value, Outcome) else Outcome(end.value)
            self.result = outcome.result
            self.warnings += tuple(outcome.warnings)
            if self.status == "complete" and not outcome.complete:
                self.status = "partial"
            self._end()
        except TwindexError as error:
            self.fail(error)

    def answer(self, number: int, judgement: Judgement[A], usage: Usage, cost: Cost) -> None:
        """cost: what was set aside for the question."""
        self.meter.settle(cost, usage)
        self.answers[number] = judgement.answer
        self.truncated.update(judgement.truncated)

    def fail(self, error: TwindexError) -> None:
        self.course.close()
        self.status, self.error = "failed", error
        self._end()

    def _end(self) -> None:
        self.ended = True
        self.seconds = perf_counter() - self.meter.began

    def finished(self) -> Finished[R]:
        """What became of it."""
        return Finished(
            self.result,
            self.status,
            self.meter.usage,
            self.seconds,
            len(self.truncated),
            self.warnings,
            self.error,
        )
