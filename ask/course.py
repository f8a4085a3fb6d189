"""What an algorithm that asks a model is: a generator, and a judge that answers it.

The generator (a `Course`) yields the questions of a round, is sent their answers, and returns a
result. `rounds` runs it.
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
    """The end of a course that has more to say than a result.

    complete: False where a model's answers could not be used, so that less was done than the limits
              would have allowed. `warnings` say why.
    """

    result: R
    complete: bool = True
    warnings: Sequence[str] = ()


Course = Generator[Sequence[Q], Sequence[A | None], R | Outcome[R]]
"""Rounds of questions in the order of their importance -> answers, None for those not reached. Once
there is a None nothing is answered in later rounds: the course returns the best result that it has.
A TwindexError that it raises makes it "failed"."""


@dataclass(frozen=True, slots=True)
class Judgement(Generic[A_co]):
    """An answer (not None), what it took, and the texts that were not read to their end, or their
    digests. Only digests are remembered."""

    answer: A_co
    usage: Usage = field(default_factory=Usage)
    truncated: Sequence[str | bytes] = ()


class Judge(Protocol[Q_contra, A_co]):
    """A model that answers questions. Thread-safe.

    Usage.seconds of its judgements is not looked at: the time is taken here.
    """

    def costs(self, questions: Sequence[Q_contra]) -> Sequence[Cost]:
        """What each will cost at most: budgets are kept as well as this is true. Cheap."""

    def ask(self, questions: Sequence[Q_contra]) -> Sequence[Judgement[A_co]]:
        """Answers in order. Raises ModelError."""

    def key(self, question: Q_contra) -> Hashable:
        """Equal for questions with the same answer, which are asked once; holds no long text."""
