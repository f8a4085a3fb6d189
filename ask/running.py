"""The state and the result of a running course (an algorithm that asks a model questions)."""

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
    """Convert an exception that a model raised to a TwindexError, and return it.

    A TwindexError is returned unchanged. Any other exception is logged and becomes a ModelError.

    model: name of the model in the message, such as "the model".
    """
    if isinstance(error, TwindexError):
        return error
    log.error("%s failed", model, exc_info=error)
    return ModelError(f"{model} failed with {type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class Finished(Generic[R]):
    """The result of a course (an algorithm that asks a model questions).

    result:    value that the course returned. None if the course failed.
    usage:     usage of the model, for calls that ended before the deadline. `cache_hits` counts
               answers from the cache, which needed no call.
    seconds:   time from the call of `Rounds.run` to the end of the course.
    truncated: number of texts that the model did not read to their end.
    error:     reason of the status "failed", else None.
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
    """The state of a running course (an algorithm that asks a model questions)."""

    course: Course[Q, A, R]
    meter: Meter[Limits]
    result: R | None = None
    status: Status = "complete"
    seconds: float = 0.0
    truncated: set[str | bytes] = field(default_factory=set)
    """Digests of texts that were not read to their end."""
    warnings: tuple[str, ...] = ()
    error: TwindexError | None = None
    questions: Sequence[Q] = ()
    answers: list[A | None] = field(default_factory=list)
    keys: Sequence[Hashable] = ()
    costs: dict[int, Cost] = field(default_factory=dict)
    ended: bool = False

    @property
    def open(self) -> list[int]:
        """Positions of the current questions that may still get an answer.

        Empty if the course has ended or has reached a limit.
        """
        if self.status != "complete" or self.ended:
            return []
        return [i for i, answer in enumerate(self.answers) if answer is None]

    def advance(self, answers: Sequence[A | None] | None) -> None:
        """Send answers to the course. Store the questions that it asks next, or its result.

        answers: an answer for each question of the round; None for a question that a limit
        prevented. `answers` itself must be None at the start of the course.
        """
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
        """Store the answer to a question.

        number: position of the question in the round.
        usage:  actual usage of the question.
        cost:   cost that was reserved for the question.
        """
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
        """Return the result of the course."""
        return Finished(
            self.result,
            self.status,
            self.meter.usage,
            self.seconds,
            len(self.truncated),
            self.warnings,
            self.error,
        )
