"""The protocol of rerankers: a reranker receives a query with its hits, and reorders the hits."""

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
    """Limits for reranking one query; None = no limit.

    candidates: number of best hits that may be judged. The other hits keep their order.
    """

    candidates: Calls | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit to be reranked.

    id:       id of the document.
    text:     text of the best passage, without the title. If the document is not cut into passages:
              its whole text.
    title:    title of the document.
    document: text of the whole document; None if it equals `text`.
    score:    score of the search, or of the previous stage of a chain. Any unit.
    legs:     leg -> stored score, for the legs in `Needs.legs`. A leg that does not return the
              document is missing.
    vector:   float32 [d], vector stored by the leg `Needs.vectors`; None if there is none.
    """

    id: str
    text: str
    title: str = ""
    document: str | None = None
    score: float = 0.0
    legs: Mapping[str, float] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = None

    def read(self, part: Literal["passage", "document"] = "passage") -> str:
        """Return the title followed by the text of the passage or document."""
        return f"{self.title} {self.body(part)}".strip()

    def body(self, part: Literal["passage", "document"]) -> str:
        """Return the text of the passage or document, without the title."""
        return self.document if part == "document" and self.document is not None else self.text


@dataclass(frozen=True, slots=True)
class Task:
    """A query with its candidates, best first. Ids of candidates are unique.

    guard: its method `check` is called before each call of a model. An exception that it raises
           ends the reranking. Tasks that are reranked together share one guard.
    """

    query: str
    candidates: Sequence[Candidate]
    guard: Guard = field(default=UNGUARDED, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """A candidate in the new order.

    index:   position of the candidate in the task, from 0.
    score:   score of the reranker; None if the candidate was not judged or the method gives no
             scores. If all candidates have scores, these are in descending order.
    reasons: details of the judgement, as JSON values: wins and ties, scores of criteria, windows.
    judged:  True if the reranker judged the candidate. Candidates that were not judged follow the
             others in their original order.
    """

    index: int
    score: float | None = None
    reasons: Mapping[str, Any] = field(default_factory=dict)
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Reranked:
    """The result of reranking one query.

    order:     every candidate of the task exactly once, best first.
    status:    see `ask.Status`. If it is "failed", the order is that of the task.
    usage:     usage of models, in calls that ended in time. calls: prompts, or pairs, that they
               read. cache_hits: judgements taken from the cache without a call.
    seconds:   wall-clock time until the task was finished.
    truncated: number of candidates whose text was cut in any stage.
    warnings:  warnings for the caller.
    error:     reason of the status "failed".
    stages:    stages of a chain, in order: (name, result). Positions in a result refer to the
               candidates that this stage received.
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
    """Return a failed result that keeps `count` candidates in their order."""
    order = [Placed(i, judged=False) for i in range(count)]
    return Reranked(order, status="failed", error=error)


@dataclass(frozen=True, slots=True)
class Needs:
    """Stored data of a collection that a reranker reads, in addition to texts.

    legs:    legs whose scores the candidates must have.
    vectors: dense leg whose vectors the candidates must have; None if no vectors are needed.
    """

    legs: frozenset[str] = frozenset()
    vectors: str | None = None

    def __or__(self, other: Needs) -> Needs:
        """Return the union of two Needs.

        Raises ConfigError if they need the vectors of different legs.
        """
        if self.vectors and other.vectors and self.vectors != other.vectors:
            raise ConfigError(
                "all stages of a chain must use the vectors of one leg, got "
                f"{self.vectors} and {other.vectors}"
            )
        return Needs(self.legs | other.legs, self.vectors or other.vectors)


class Reranker(Protocol):
    """Reorders the hits of searches. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the reranker's configuration."""

    @property
    def needs(self) -> Needs:
        """Return the stored data that candidates must have."""

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """Rerank several tasks. Return one result for each task, in the same order.

        budget: limits of each task. Its milliseconds start with this call for all tasks.

        If a model fails, the result has the status "failed"; no exception is raised. Raises the
        exceptions of the tasks' guard.
        """


def rerank_one(
    reranker: Reranker,
    query: str,
    candidates: Sequence[Candidate],
    budget: Budget | None = None,
    guard: Guard = UNGUARDED,
) -> Reranked:
    """Rerank the candidates of one query; see `Reranker.rerank`."""
    (found,) = reranker.rerank([Task(query, candidates, guard)], budget)
    return found
