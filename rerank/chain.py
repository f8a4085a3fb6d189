"""A chain of rerankers. Each stage reranks the best hits of the stage before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from time import perf_counter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from ..ask import Meter, Status
from ..core import Config, Usage
from ..core.bounds import Few
from ..core.errors import within
from ..core.kinds import OneOf
from .checking import checked
from .config import RERANKERS, RerankerConfig, Shorthand
from .protocol import Budget, Needs, Placed, Reranked, Reranker, Task


class StageConfig(Config):
    """One stage of a chain of rerankers.

    reranker:   configuration of the stage's reranker.
    candidates: number of hits that the reranker judges. These are the best hits of the previous
                stage. The first stage judges the best hits of the search.
    """

    reranker: Annotated[RerankerConfig, OneOf(RERANKERS)]
    candidates: Few


@RERANKERS.register
class ChainConfig(RerankerConfig):
    """Several rerankers in sequence, usually from cheap to expensive.

    Each stage reranks the best hits of the stage before it.
    """

    made_by = ".chain:Chain.load"
    shorthand = Shorthand(words={})

    kind: Literal["chain"] = "chain"
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    """Stages in order. Each has a `reranker` and `candidates`, the number of hits it judges."""
    # A chain has no such fields of its own; its stages have them.
    text: ClassVar[Any]  # type: ignore[misc]
    candidates: ClassVar[Any] = property(lambda chain: chain.stages[0].candidates)  # type: ignore[misc]


class Chain:
    """A reranker that runs several rerankers in sequence.

    stages: pairs of a reranker and the number of best hits that the reranker receives.

    Hits that a stage does not receive follow the others in their previous order. All stages share
    one budget. If a stage fails, the later stages do not run, and the order of the previous stage
    is the result.

    A stage receives candidates with the scores of the previous stage (`Candidate.score`). The
    scores in the result are those of the last stage.
    """

    kind = "chain"

    def __init__(self, stages: Sequence[tuple[Reranker, int]]) -> None:
        self._stages = stages

    @classmethod
    def load(cls, config: ChainConfig) -> Self:
        """Load the rerankers of all stages. Raises the errors of `load_reranker`."""
        stages = []
        for i, stage in enumerate(config.stages):
            with within(f"stages[{i}].reranker"):
                stages.append((stage.reranker.load(), stage.candidates))
        return cls(stages)

    @property
    def needs(self) -> Needs:
        return reduce(or_, (reranker.needs for reranker, _ in self._stages), Needs())

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        began = perf_counter()
        whole = budget or Budget()
        runs = [_TaskState(task, Meter(whole, began)) for task in tasks]
        for number, (reranker, candidates) in enumerate(self._stages, 1):
            # Tasks with the same remaining budget are reranked together.
            groups: dict[tuple[int | None, int | None], list[_TaskState]] = {}
            for run in runs:
                if run.status != "failed":
                    left = run.meter.left()
                    groups.setdefault((left.calls, left.tokens), []).append(run)
            for group in groups.values():
                stage_tasks = [run.next_task(candidates) for run in group]
                given = reranker.rerank(stage_tasks, group[0].meter.left())
                found = checked(given, stage_tasks, f"stage {number}.{reranker.kind}")
                for run, result in zip(group, found, strict=True):
                    run.record(f"{number}.{reranker.kind}", result)
        return [run.result() for run in runs]


@dataclass(slots=True)
class _TaskState:
    """The order of one task's candidates and the results of the stages that have run so far."""

    task: Task
    meter: Meter[Budget]
    order: list[Placed] = field(init=False)
    status: Status = "complete"
    stages: list[tuple[str, Reranked]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.order = [Placed(i, judged=False) for i in range(len(self.task.candidates))]

    def next_task(self, candidates: int) -> Task:
        best = self.order[:candidates]
        found = [self.task.candidates[placed.index] for placed in best]
        if self.stages:
            scores = _candidate_scores([placed.score for placed in best])
            found = [replace(one, score=s) for one, s in zip(found, scores, strict=True)]
        return replace(self.task, candidates=found)

    def record(self, name: str, result: Reranked) -> None:
        self.stages.append((name, result))
        self.meter.usage += result.usage
        if result.status != "complete":
            self.status = result.status
        before = self.order
        self.order = [
            self._merged(before[placed.index], placed, name) for placed in result.order
        ] + [replace(placed, score=None) for placed in before[len(result.order) :]]

    def _merged(self, before: Placed, now: Placed, name: str) -> Placed:
        reasons = before.reasons
        if now.judged:
            reasons = {**reasons, name: {"score": now.score, **now.reasons}}
        return Placed(before.index, now.score, reasons, before.judged or now.judged)

    def result(self) -> Reranked:
        results = [result for _, result in self.stages]
        return Reranked(
            order=self.order,
            status=self.status,
            usage=sum((result.usage for result in results), Usage()),
            seconds=perf_counter() - self.meter.began,
            truncated=max((result.truncated for result in results), default=0),
            warnings=[
                f"{name}: {warning}" for name, result in self.stages for warning in result.warnings
            ],
            error=next((result.error for result in results if result.error), None),
            stages=self.stages,
        )


def _candidate_scores(given: Sequence[float | None]) -> list[float]:
    """Return the scores of n candidates for the next stage, because it requires a score for each.

    given: scores from the previous stage; None for a candidate without a score.

    A candidate without a score gets the lowest score in `given`. If no candidate has a score, the
    scores are n, n - 1, ..., 1.
    """
    known = [score for score in given if score is not None]
    if not known:
        return [float(position) for position in range(len(given), 0, -1)]
    return [min(known) if score is None else score for score in given]
