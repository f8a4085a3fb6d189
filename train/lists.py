"""The training data of a cross-encoder: each query with a relevant and several other documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core import Document
from .negatives import candidates, sample
from .queries import TrainingQuery


@dataclass(frozen=True, slots=True)
class PairList:
    """A query and the texts of several documents.

    The first document answers the query (the positive). The others do not (the negatives).
    """

    query: str
    texts: tuple[str, ...]


class PairLists:
    """The training data: one PairList for each query and epoch, with random negatives.

    Equal seeds and epochs give equal lists. A query is skipped if no document can be a negative.

    queries:   the training queries.
    ranked:    for each query, the document ids that BM25 returns, best first.
    documents: document id -> document.
    negatives: maximum number of negatives in a list.
    seed:      seed of the random choices.
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
        """Return the positions of all queries in a random order. number: number of the epoch."""
        order = np.random.default_rng([self._seed, 4, number]).permutation(len(self))
        return [int(i) for i in order]

    def get(self, number: int, epoch: int) -> PairList:
        """Return the PairList of a query in an epoch. number: position of the query."""
        query, pool = self._known[number]
        rng = np.random.default_rng([self._seed, 5, epoch, number])
        positive = query.positives[int(rng.integers(len(query.positives)))]
        chosen = [positive, *sample(pool, self._negatives, rng)]
        return PairList(query.text, tuple(query.read(self._documents[one]) for one in chosen))
