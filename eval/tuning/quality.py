"""Measures the quality of searches: recall against exact search, nDCG against judgements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import Representation
from ...index import DenseLeg, LegResult, TrialSegment, VectorSearch
from ...index.dense.delta import DenseDelta
from ...index.protocol import LegPart
from ..measures import evaluate
from .sample import Queries, Sample

K = 10
"""Cut-off of the measures: number of best documents of each search that count."""
MEASURE = f"nDCG@{K}"
_TIED_DEPTH = 100
"""Depth of the exact search. More than K, to find documents with the score of the Kth."""
_EQUAL = 1e-6
"""Scores with a smaller relative difference are ties."""


class Searcher:
    """Searches the sample as if it were a whole collection."""

    def __init__(
        self,
        sample: Sample,
        leg: DenseLeg,
        part: LegPart,
        depth: int,
        search: VectorSearch | None = None,
    ) -> None:
        """leg: configuration of the dense leg.

        part:   index of the sample's vectors.
        depth:  number of documents that each search requests.
        search: search effort. None: as configured in the leg.
        """
        self._segment = TrialSegment(leg, part, sample.owners)
        self._depth = depth
        self._search = search

    def __call__(self, queries: NDArray[np.float32]) -> Sequence[LegResult]:
        """Return the documents found for each query, best first.

        The score of a document is the score of its best passage.

        queries: query vectors, float32 [n, d].
        """
        encoded = Representation(dense=queries)
        return self._segment.search(encoded, self._depth, self._search)


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of the results of searches.

    recall: share of the K nearest documents that a search finds, averaged over the queries.
    ndcg:   nDCG@10. None without judgements.
    """

    recall: float
    ndcg: float | None

    @property
    def value(self) -> float:
        """The figure to compare configurations by: nDCG@10 if there is one, else recall@10."""
        return self.recall if self.ndcg is None else self.ndcg


class Truth:
    """The results of exact search in the sample: the reference for the recall of other searches.

    If a query is itself a document of the collection, this document does not count as a result.
    Documents with the same score as the last of the K nearest documents also count as nearest.
    """

    def __init__(self, sample: Sample, queries: Queries, leg: DenseLeg) -> None:
        exact = DenseDelta(leg)
        exact.append(Representation(dense=sample.vectors))
        self._sample = sample
        self._queries = queries
        self._nearest: list[NDArray[np.int64]] = []
        self._count: list[int] = []
        deep = Searcher(sample, leg, exact, max(_TIED_DEPTH, K))
        for own, result in zip(queries.own, deep(queries.vectors), strict=True):
            first = result.documents[:K]
            self._count.append(int((first != own).sum()))
            last = result.scores[len(first) - 1]
            near = result.documents[result.scores >= last - _EQUAL * abs(last)]
            self._nearest.append(near[near != own])
        self.quality = self.measure(Searcher(sample, leg, exact, K))

    def measure(self, searcher: Searcher) -> Quality:
        """Search all queries with `searcher`, and return the quality of the results."""
        shares, run = [], {}
        results = searcher(self._queries.vectors)
        for i, (own, result) in enumerate(zip(self._queries.own, results, strict=True)):
            numbers = result.documents[:K]
            hits = int(np.isin(numbers[numbers != own], self._nearest[i]).sum())
            shares.append(min(1.0, hits / self._count[i]) if self._count[i] else 1.0)
            run[self._queries.ids[i]] = {
                self._sample.ids[int(number)]: float(score)
                for number, score in zip(numbers, result.scores, strict=False)
            }
        qrels = self._queries.qrels
        ndcg = None if qrels is None else evaluate(run, qrels, [MEASURE]).measures[MEASURE]
        return Quality(float(np.mean(shares)), ndcg)
