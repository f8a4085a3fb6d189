"""Collects a reranker's scores of the hits of judged queries, as input for a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import InvalidInputError, NoProgress, Progress, Qrels, Query
from ..search.request import SearchRequest
from ..search.stages import RerankRequest
from .beir import judged_queries
from .calibration import JudgedScores
from .experiment import BATCH, request_for

if TYPE_CHECKING:
    from ..search import Collection


@dataclass(frozen=True, slots=True)
class Scored:
    """A reranker's scores of judged hits, and the numbers of hits that could not be used.

    judged:   the scores and judgements.
    unscored: number of hits without a score, because a limit was reached or because the reranker
              scores only the best hits.
    left_out: number of hits that were left out because they have no judgement.
    """

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
    """Rerank the hits of each query that has judgements, and return the rerank scores.

    rerank:        the reranker and its limits.
    candidates:    number of best hits to rerank for each query.
    relevant_from: lowest grade that counts as relevant.
    unjudged:      True: hits without a judgement count as not relevant, as in most measures. False:
                   they are left out, so the judgements must also include documents that are not
                   relevant.
    fields:        further fields of SearchRequest.

    Raises InvalidInputError if no hit has a score. If the reranker fails, raises its error.
    """
    progress = progress or NoProgress()
    queries = judged_queries(list(queries), qrels)
    rerank_all = rerank.model_copy(update={"top_n": candidates, "on_error": "fail"})
    request = SearchRequest.parse(
        {"query": "", "include": (), "limit": candidates, **fields, "rerank": rerank_all}
    )
    scores: list[float] = []
    relevant: list[bool] = []
    owners: list[str] = []
    unscored = left_out = 0
    progress.start("rerank", len(queries), "queries")
    for begin in range(0, len(queries), BATCH):
        batch = queries[begin : begin + BATCH]
        requests = [request_for(request, query) for query in batch]
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
            f"reranker {rerank.model!r} scored no judged hit: {unscored} hits have no score, and "
            f"{left_out} hits have no judgement; choose another reranker, or add judgements",
            field="rerank",
        )
    judged = JudgedScores(np.array(scores), np.array(relevant, np.bool_), owners)
    return Scored(judged, unscored, left_out)
