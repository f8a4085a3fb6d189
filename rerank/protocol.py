"""What a reranker is: a query and the hits of a first stage in, the hits in a better order out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..ask import Limits, Status
from ..core import UNGUARDED, ConfigError, Guard, TwindexError, Usage
from ..core.bounds import Calls


class Budget(Limits):
    """What reranking one query may cost at most; None = no limit.

    candidates: hits that are judged, from the top of the first stage; others keep their order.
    """

    candidates: Calls | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit of the first stage.

    id:       of the document.
    text:     of its best passage, or of the whole where it was not cut; without the title.
    document: the whole text; None = `text` is the whole.
    score:    of the first stage, or of the one before in a chain, in any unit.
    legs:     scores of those stored legs that `Needs.legs` names; a leg that has nothing to say of
              the document is missing.
    vector:   float32 [d], stored by the leg that `Needs.vectors` names; None where it has none.
    """

    id: str
    text: str
    title: str = ""
    document: str | None = None
    score: float = 0.0
    legs: Mapping[str, float] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = None

    def read(self, part: Literal["passage", "document"] = "passage") -> str:
        """Title and text, as encoders read them."""
        return f"{self.title} {self.body(part)}".strip()

    def body(self, part: Literal["passage", "document"]) -> str:
        """The text without the title."""
        return self.document if part == "document" and self.document is not None else self.text


@dataclass(frozen=True, slots=True)
class Task:
    """A query and what the first stage found for it, best first. No id occurs twice.

    guard: its `check` is called before each call of a model; what it raises ends the reranking.
           Tasks that are reranked together share one.
    """

    query: str
    candidates: Sequence[Candidate]
    guard: Guard = field(default=UNGUARDED, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate in its new place.

    index:   its place in the task, from 0.
    score:   the reranker's; None where it was not reached or the method gives no score. Scores of a
             result that has them all descend.
    reasons: why it is there, as JSON: wins and ties, scores of criteria, windows read ...
    judged:  the reranker looked at it. What was not judged keeps its order, after the rest.
    """

    index: int
    score: float | None = None
    reasons: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Reranked:
    """What reranking one query gave.

    order:     every candidate of the task exactly once, best first.
    status:    see `ask.Status`; "failed": the order is the first stage's.
    usage:     what models did, in calls that ended in time. calls: prompts, or pairs, that they
               read. cache_hits: judgements that were remembered and took no call.
    seconds:   wall-clock time of the reranking; of tasks done together, each has the time until it
               was done.
    truncated: candidates whose text was not read to its end, by any stage.
    error:     why the status is "failed".
    stages:    of a chain, what each reranker did, in order: (name, result), with the places that
               its own task had.
    """

    order: Sequence[Placed]
    status: Status = "complete"
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    truncated: int = 0
    warnings: Sequence[str] = ()
    error: TwindexError | None = None
    stages: Sequence[tuple[str, Reranked]] = ()


def failed(count: int, error: TwindexError) -> Reranked:
    """What comes of `count` candidates when nothing could be asked."""
    order = [Placed(i, judged=False) for i in range(count)]
    return Reranked(order, status="failed", error=error)


@dataclass(frozen=True, slots=True)
class Needs:
    """What of a collection a reranker uses, besides texts.

    legs:    whose stored scores candidates must have.
    vectors: the dense leg whose stored vectors candidates must have.
    """

    legs: frozenset[str] = frozenset()
    vectors: str | None = None

    def __or__(self, other: Needs) -> Needs:
        """Both. Raises ConfigError where each wants vectors of another leg."""
        if self.vectors and other.vectors and self.vectors != other.vectors:
            raise ConfigError(f"uses the vectors of two legs, {self.vectors} and {other.vectors}")
        return Needs(self.legs | other.legs, self.vectors or other.vectors)


class Reranker(Protocol):
    """Orders hits anew. Thread-safe."""

    @property
    def kind(self) -> str:
        """Of its configuration."""

    @property
    def needs(self) -> Needs: ...

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """One result for each task, in order.

        The budget is that of each task; its milliseconds run from the call for all of them. Models
        that fail give the status "failed" and no exception. Raises what the tasks' guard raises.
        """


def rerank_one(
    reranker: Reranker,
    query: str,
    candidates: Sequence[Candidate],
    budget: Budget | None = None,
    guard: Guard = UNGUARDED,
) -> Reranked:
    """One query."""
    (found,) = reranker.rerank([Task(query, candidates, guard)], budget)
    return found
