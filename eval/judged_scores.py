"""Scores that a reranker gives to the hits of judged queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import InvalidInputError, NoProgress, Progress, Qrels, Query
from ..search.request import RerankRequest, SearchRequest
from .beir import judged_queries
from .calibration import JudgedScores
from .experiment import BATCH

if TYPE_CHECKING:
    from ..search import Collection


@dataclass(frozen=True, slots=True)
class Scored:
    """Judged scores, and hits that are not among them: `unscored` by the reranker (a budget ran
    out, or it gives scores to its best only) or without a judgement and `left_out` for that."""

    judged: JudgedScores
    unscored: int
    left_out: int


def judged_scores(
    collection: Collection,
    queries: Sequence[Query],
    qrels: Qrels,
    rerank: RerankRequest,
    candidates: int,
    *,
    relevant_from: int = 1,
    unjudged: bool = True,
    progress: Progress | None = None,
    **fields: Any,
) -> Scored:
    """Rerank the best `candidates` hits of each query that has judgements.

    relevant_from: lowest grade that is relevant.
    unjudged: hits without a judgement count as not relevant, as in most measures; False = they are
              left out. Collections that are judged deeply bear the latter; where only relevant
              documents are listed there would be nothing but these.
    fields:   further fields of SearchRequest.

    Raises InvalidInputError where no hit has a score, and the error of a model that fails.
    """
    progress = progress or NoProgress()
    queries = judged_queries(list(queries), qrels)
    asked = rerank.model_copy(update={"top_n": candidates, "on_error": "fail"})
    request = SearchRequest.parse(
        {"query": "", "include": (), "limit": candidates, **fields, "rerank": asked}
    )
    scores: list[float] = []
    relevant: list[bool] = []
    owners: list[str] = []
    unscored = left_out = 0
    progress.start("rerank", len(queries), "queries")
    for begin in range(0, len(queries), BATCH):
        batch = queries[begin : begin + BATCH]
        requests = [request.model_copy(update={"query": query.text}) for query in batch]
        for query, result in zip(batch, collection.search_batch(requests), strict=True):
            grades = qrels[query.id]
            for hit in result.hits:
                if hit.rerank is None or hit.rerank.score is None:
                    unscored += 1
                elif hit.id in grades or unjudged:
                    scores.append(hit.rerank.score)
                    relevant.append(grades.get(hit.id, 0) >= relevant_from)
                    owners.append(query.id)
                else:
                    left_out += 1
        progress.advance(len(batch))
    if not scores:
        raise InvalidInputError(
            f"no judged hit has a score of {rerank.model}: {unscored} hits have none, {left_out} "
            "have no judgement",
            field="rerank",
        )
    judged = JudgedScores(np.array(scores), np.array(relevant, np.bool_), owners)
    return Scored(judged, unscored, left_out)
