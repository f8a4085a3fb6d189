"""A reranker: hits that share most trigrams with the query first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from twindex.core.bounds import Bounds
from twindex.rerank import Budget, Needs, Placed, Reranked, RerankerConfig, Task


class SharedConfig(RerankerConfig):
    """Counts the letters that query and text share in runs."""

    made_by = ".reranker:SharedReranker"
    scores_texts = True

    kind: Literal["shared"] = "shared"
    length: Annotated[int, Bounds(1, 10)] = 3


class SharedReranker:
    """The share of the query's runs of letters that a text has."""

    kind, needs = "shared", Needs()

    def __init__(self, config: SharedConfig) -> None:
        self.config = config

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return [Reranked(self._order(task)) for task in tasks]

    def _order(self, task: Task) -> list[Placed]:
        asked = self._runs(task.query)
        texts = [self._runs(one.read(self.config.text)) for one in task.candidates]
        scores = [len(asked & text) / max(1, len(asked)) for text in texts]
        return [Placed(i, scores[i]) for i in sorted(range(len(scores)), key=lambda i: -scores[i])]

    def _runs(self, text: str) -> set[str]:
        size = self.config.length
        return {text[i : i + size] for i in range(len(text) - size + 1)}
