"""What a step learns from: queries, each with a positive and negatives as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core import Document
from .negatives import candidates, sample
from .queries import TrainingQuery


@dataclass(frozen=True, slots=True)
class PairList:
    """A query and texts, of which the first answers it and the others do not."""

    query: str
    texts: tuple[str, ...]


class Lists:
    """The pair lists of each epoch, in its order. A seed and an epoch always give the same ones.

    A query without any possible negative is left out.
    """

    def __init__(
        self,
        queries: Sequence[TrainingQuery],
        ranked: Sequence[Sequence[str]],
        documents: Mapping[str, Document],
        *,
        negatives: int,
        seed: int,
    ) -> None:
        pools = [candidates(q, ids, documents) for q, ids in zip(queries, ranked, strict=True)]
        self._known = [(query, pool) for query, pool in zip(queries, pools, strict=True) if pool]
        self._documents = documents
        self._negatives = negatives
        self._seed = seed

    def __len__(self) -> int:
        return len(self._known)

    def epoch(self, number: int) -> list[int]:
        """Numbers of the queries in the order of an epoch."""
        order = np.random.default_rng([self._seed, 4, number]).permutation(len(self))
        return [int(i) for i in order]

    def get(self, number: int, epoch: int) -> PairList:
        """What is learned from a query in an epoch."""
        query, pool = self._known[number]
        rng = np.random.default_rng([self._seed, 5, epoch, number])
        positive = query.positives[int(rng.integers(len(query.positives)))]
        chosen = [positive, *sample(pool, self._negatives, rng)]
        return PairList(query.text, tuple(query.read(self._documents[one]) for one in chosen))
