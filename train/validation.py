"""Measures how well a cross-encoder reranks the BM25 results of held-out queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..core import Document, InvalidInputError, Qrels
from ..eval import evaluate
from ..rerank.cross_encoder.pair_model import PairModel
from .lexical import Search
from .options import CrossEncoderTraining
from .queries import TrainingQuery

MEASURE = "nDCG@10"


class Validation:
    """Computes nDCG@10 after a model reranks the BM25 results of the held-out queries.

    queries:     the held-out queries.
    qrels:       judgements: query id -> document id -> grade.
    documents:   document id -> document.
    search:      function that searches the documents with BM25.
    first_stage: attribute with the nDCG@10 of BM25 alone.

    The constructor raises InvalidInputError if BM25 finds no document for any of the queries.
    """

    def __init__(
        self,
        queries: Sequence[TrainingQuery],
        qrels: Qrels,
        documents: Mapping[str, Document],
        search: Search,
        options: CrossEncoderTraining,
    ) -> None:
        self._qrels = {query.id: qrels[query.id] for query in queries}
        ranked = search([query.text for query in queries], options.rerank)
        self._pairs = [
            (query.id, query.text, one, query.read(documents[one]))
            for query, ids in zip(queries, ranked, strict=True)
            for one in ids
        ]
        if not self._pairs:
            raise InvalidInputError(
                "BM25 finds no document for any held-out query, so there is nothing to rerank; "
                "check that queries and documents belong to the same data set",
                field="queries",
            )
        self.first_stage = self._figure(
            {
                query.id: {one: -float(rank) for rank, one in enumerate(ids)}
                for query, ids in zip(queries, ranked, strict=True)
            }
        )

    def __call__(self, model: PairModel) -> float:
        _, queries, _, texts = zip(*self._pairs, strict=True)
        pairs = model.tokenize(queries, texts)
        fits = [i for i, pair in enumerate(pairs) if pair.room >= 1]
        logits = np.full(len(pairs), -np.inf)
        logits[fits] = model.read([pairs[i] for i in fits])[1]
        run: dict[str, dict[str, float]] = {}
        for (query, _, one, _), logit in zip(self._pairs, logits.tolist(), strict=True):
            run.setdefault(query, {})[one] = logit
        return self._figure(run)

    def _figure(self, run: Mapping[str, Mapping[str, float]]) -> float:
        return evaluate(run, self._qrels, [MEASURE]).measures[MEASURE]
