"""A reranker that counts shared trigrams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from twindex.rerank import (
    Budget,
    Candidate,
    Needs,
    Placed,
    Reranked,
    RerankerConfig,
    Task,
)


class SharedTrigramsConfig(RerankerConfig):
    """The fraction of the query's trigrams that a text contains."""

    made_by = ".reranker:SharedTrigrams"
    scores_texts = True

    kind: Literal["shared_trigrams"] = "shared_trigrams"
    shortest: bool = False
    """Ties are won by the shortest text."""


class SharedTrigrams:
    """A Reranker by shared trigrams."""

    kind = "shared_trigrams"
    needs = Needs()

    def __init__(self, config: SharedTrigramsConfig) -> None:
        self._config = config

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return [self._one(task, budget) for task in tasks]

    def _one(self, task: Task, budget: Budget | None) -> Reranked:
        most = len(task.candidates)
        if budget is not None and budget.candidates is not None:
            most = min(most, budget.candidates)
        wanted = _trigrams(task.query)
        scores = [self._score(wanted, candidate) for candidate in task.candidates[:most]]
        places = sorted(range(most), key=lambda place: scores[place], reverse=True)
        judged = [Placed(place, scores[place][0]) for place in places]
        rest = [Placed(place, judged=False) for place in range(most, len(task.candidates))]
        return Reranked([*judged, *rest])

    def _score(self, wanted: set[str], candidate: Candidate) -> tuple[float, int]:
        text = candidate.read(self._config.text)
        share = len(wanted & _trigrams(text)) / max(1, len(wanted))
        return share, -len(text) if self._config.shortest else 0


def _trigrams(text: str) -> set[str]:
    padded = f"  {text.lower()} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}
