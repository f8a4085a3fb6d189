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

    candidates: maximum number of hits that are judged. The best hits are judged; the others follow
                in their original order.
    """

    candidates: Calls | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A hit to be reranked.

    id:       id of the document.
    text:     text of the document's best passage, without the title; the whole text if the document
              is not cut into passages.
    title:    title of the document.
    document: text of the whole document; None if it equals `text`.
    score:    score of the hit in the search, or in the previous stage of a chain. Scores may have
              any range.
    legs:     name of a leg in `Needs.legs`, such as "dense" -> score of the document in this leg. A
              leg that does not return the document has no entry.
    vector:   stored vector of `text` in the leg that `Needs.vectors` names, float32 [dimensions];
              None if no vector is needed or stored.
    """

    id: str
    text: str
    title: str = ""
    document: str | None = None
    score: float = 0.0
    legs: Mapping[str, float] = field(default_factory=dict)
    vector: NDArray[np.float32] | None = None

    def read(self, part: Literal["passage", "document"] = "passage") -> str:
        """Return the title, a space, and the best passage or the document, as `part` says."""
        return f"{self.title} {self.body(part)}".strip()

    def body(self, part: Literal["passage", "document"]) -> str:
        """Return the best passage or the document, as `part` says, without the title."""
        return self.document if part == "document" and self.document is not None else self.text


@dataclass(frozen=True, slots=True)
class Task:
    """A query with its candidates, best first. Ids of candidates are unique.

    guard: object whose method `check` is called before each call of a model. An exception from
           `check` ends the reranking. Tasks that are reranked together share one guard.
    """

    query: str
    candidates: Sequence[Candidate]
    guard: Guard = field(default=UNGUARDED, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """One candidate in the result of a reranker.

    index:   position of the candidate in the task, from 0.
    score:   score from the reranker; None if the candidate was not judged or the method gives no
             scores. If all candidates have scores, these are in descending order.
    reasons: details of the judgement, as JSON values. They depend on the kind of reranker: for
             example wins and ties, scores of criteria, or windows.
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
    status:    "complete", "partial" or "failed"; see `ask.Status`. If "failed", the candidates keep
               the order of the task or, in a chain, the order of the last stage that did not fail.
    usage:     usage of models, in calls that ended within the time limit. `usage.calls` counts
               prompts, or pairs of query and passage. `usage.cache_hits` counts judgements taken
               from the cache without a call.
    seconds:   wall-clock time until the task was finished.
    truncated: number of candidates whose text was too long and was cut. For a chain, this is the
               maximum over the stages.
    warnings:  warnings for the caller.
    error:     reason of the status "failed"; None for another status.
    stages:    for a chain, (name, result) of each stage that ran. `Placed.index` in such a result
               is a position among the candidates that this stage received.
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
    """Return the result of a reranking that failed: `count` candidates in their original order."""
    order = [Placed(i, judged=False) for i in range(count)]
    return Reranked(order, status="failed", error=error)


@dataclass(frozen=True, slots=True)
class Needs:
    """The stored data of a collection that a reranker reads, in addition to texts.

    legs:    names of the legs whose scores the candidates must have.
    vectors: name of the dense leg whose vectors the candidates must have; None if no vectors are
             needed.
    """

    legs: frozenset[str] = frozenset()
    vectors: str | None = None

    @property
    def stored(self) -> list[str]:
        """Names of all legs whose scores or vectors are read, sorted."""
        return sorted(self.legs | ({self.vectors} if self.vectors else set()))

    def __or__(self, other: Needs) -> Needs:
        """Return the combined needs of two rerankers.

        Raises ConfigError if the two rerankers read the vectors of different legs.
        """
        if self.vectors and other.vectors and self.vectors != other.vectors:
            raise ConfigError(
                "all stages of a chain must read the vectors of the same leg, got "
                f"{self.vectors!r} and {other.vectors!r}; change the `leg` of one stage"
            )
        return Needs(self.legs | other.legs, self.vectors or other.vectors)


class Reranker(Protocol):
    """Reorders the hits of searches. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the reranker's configuration, such as "pairwise"."""

    @property
    def needs(self) -> Needs:
        """Return the stored data that the candidates must have, in addition to texts."""

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """Rerank several tasks. Return one result for each task, in the same order.

        budget: limits for each task. The time limit starts with this call for all tasks.

        If a model fails, the result of the task has the status "failed"; no exception is raised.
        Raises the exceptions of the guard (`Task.guard`).
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
