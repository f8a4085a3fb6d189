"""Types for algorithms that ask a model questions in rounds.

Such an algorithm is a generator, called a `Course`. The generator yields the questions of a round,
receives their answers, and finally returns a result. A `Judge` answers the questions. `Rounds` runs
courses.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ..core import Usage
from .meter import Cost

Q = TypeVar("Q")
A = TypeVar("A")
R = TypeVar("R")
Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """The result of a course (an algorithm that asks a model questions), with warnings.

    complete: False if the course left out work because the model gave unusable answers. `warnings`
              then gives the reasons. Work that a limit prevented does not count.
    """

    result: R
    complete: bool = True
    warnings: Sequence[str] = ()


Course = Generator[Sequence[Q], Sequence[A | None], R | Outcome[R]]
"""An algorithm that asks a model: a generator that yields rounds of questions, receives their
answers and returns a result.

The most important questions of a round come first. If a limit prevents an answer, the course
receives None instead. It then gets no answers in later rounds either, and must return its best
result so far. A course that raises a TwindexError has the status "failed"."""


@dataclass(frozen=True, slots=True)
class Judgement(Generic[A_co]):
    """The answer of a judge (a model that answers questions) to one question.

    answer:    the answer, never None.
    usage:     usage of the model for this answer.
    truncated: texts of the question that the model did not read to their end, or digests of these
               texts. The cache stores only digests.
    """

    answer: A_co
    usage: Usage = field(default_factory=Usage)
    truncated: Sequence[str | bytes] = ()


class Judge(Protocol[Q_contra, A_co]):
    """A model that answers questions. Thread-safe.

    `Usage.seconds` of its judgements is ignored, because `Rounds` measures the time.
    """

    def costs(self, questions: Sequence[Q_contra]) -> Sequence[Cost]:
        """Return the maximum cost of each question. This method must be fast.

        A task stays within its limits only if no question costs more than its maximum.
        """

    def ask(self, questions: Sequence[Q_contra]) -> Sequence[Judgement[A_co]]:
        """Return the answers to the questions, in order. Raises ModelError if the model fails."""

    def key(self, question: Q_contra) -> Hashable:
        """Return a key for the cache of answers. Questions with equal keys have the same answer.

        A key must be small: it must contain digests instead of long texts.
        """
