"""Reranking by the scores of a leg of the collection that stores encoded passages."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Literal

from pydantic import Field

from ...index.legs import LEG_NAME
from ..config import RERANKERS, RerankerConfig, Shorthand
from ..protocol import Budget, Needs, Placed, Reranked, Task
from ..scoring import Scored, ranked_by_score


@RERANKERS.register
class LegScoreConfig(RerankerConfig):
    """Reranks by the scores of a leg. The leg stores representations of all passages, so only the
    query is encoded. Examples: a late-interaction leg (MaxSim over token vectors) or TILDEv2."""

    made_by = ".stored:StoredLegReranker"
    shorthand = Shorthand(argument="leg", shown="NAME")

    kind: Literal["leg"] = "leg"
    leg: str = Field(pattern=LEG_NAME)
    """Name of the leg whose scores are used."""


class StoredLegReranker:
    """Reranks hits by their scores in a leg of the collection. Thread-safe.

    Such a leg stores for example token vectors (late interaction) or TILDEv2 weights. A hit that
    the leg does not return, because it shares no term with the query, has the score 0. The reranker
    calls no model, so `Budget.candidates` is the only limit that applies.
    """

    kind = "leg"

    def __init__(self, config: LegScoreConfig) -> None:
        self.config = config
        self.needs = Needs(legs=frozenset({config.leg}))

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """Rerank several tasks; see `Reranker.rerank`."""
        began = perf_counter()
        most = None if budget is None else budget.candidates
        return [self._rerank(task, most, began) for task in tasks]

    def _rerank(self, task: Task, most: int | None, began: float) -> Reranked:
        leg = self.config.leg
        total = len(task.candidates)
        judged = total if most is None else min(total, most)
        scores = [one.legs.get(leg, 0.0) for one in task.candidates[:judged]]
        order = ranked_by_score(
            [Scored(score, {"leg": leg, "leg_score": score}) for score in scores]
        )
        rest = [Placed(i, judged=False) for i in range(judged, total)]
        return Reranked(
            [*order, *rest],
            status="partial" if rest else "complete",
            seconds=perf_counter() - began,
        )
