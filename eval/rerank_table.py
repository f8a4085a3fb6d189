"""Compares the quality and cost of several rerankers on the same hits of a search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import (
    InvalidInputError,
    NoProgress,
    Progress,
    Qrels,
    Query,
    RerankReport,
    Run,
    Usage,
)
from ..search.finding.planning import plan
from ..search.stages import RerankRequest
from .beir import judged_queries
from .experiment import request_for, run_scores, widest_request
from .measures import DEFAULT_MEASURES, Evaluation, evaluate
from .significance import Comparison, compare

if TYPE_CHECKING:
    from ..search import Collection

FIRST_STAGE = "first stage"
"""Name of the table row without a reranker: the search alone."""

WARNINGS = 3
"""Maximum number of different warnings in a RerankCost."""


@dataclass(frozen=True, slots=True)
class RerankCost:
    """The cost of reranking several queries. Counts are totals over the queries.

    queries:    number of queries.
    partial:    number of queries with the status "partial": a limit was reached.
    failed:     number of queries with the status "failed": the reranker raised an error.
    candidates: number of hits that the reranker received.
    judged:     number of hits that the reranker judged.
    truncated:  number of hits whose text was truncated for the reranker.
    usage:      calls of models, and tokens.
    warnings:   warning -> number of queries with this warning, for the most frequent warnings.
    p50, p95:   median and 95th percentile of the seconds that reranking adds to a query, with one
                query at a time. Includes reading the reranker's input, but not the search itself
                or encoding the query.
    """

    queries: int
    partial: int
    failed: int
    candidates: int
    judged: int
    truncated: int
    usage: Usage
    warnings: Mapping[str, int]
    p50: float
    p95: float

    @property
    def calls(self) -> float:
        """Mean number of model calls per query."""
        return self.usage.calls / max(1, self.queries)

    @property
    def tokens(self) -> float:
        """Mean number of tokens per query that models read and wrote."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / max(1, self.queries)


@dataclass(frozen=True, slots=True)
class RerankRow:
    """A row of a table of rerankers.

    name:        name of the reranker, or FIRST_STAGE for the search alone.
    cost:        cost of reranking. None for the first stage.
    comparisons: measure -> comparison of this row with the baseline row. None for the baseline.
    """

    name: str
    evaluation: Evaluation
    cost: RerankCost | None = None
    comparisons: Mapping[str, Comparison] | None = None


def rerank_cost(reports: Sequence[RerankReport]) -> RerankCost:
    """Return the total cost of reranking, from the reports of one or more queries."""
    seconds = [report.seconds for report in reports]
    warnings = Counter(warning for report in reports for warning in report.warnings)
    return RerankCost(
        queries=len(reports),
        partial=sum(report.status == "partial" for report in reports),
        failed=sum(report.status == "failed" for report in reports),
        candidates=sum(report.candidates for report in reports),
        judged=sum(report.judged for report in reports),
        truncated=sum(report.truncated for report in reports),
        usage=sum((report.usage for report in reports), Usage()),
        warnings=dict(warnings.most_common(WARNINGS)),
        p50=float(np.percentile(seconds, 50)),
        p95=float(np.percentile(seconds, 95)),
    )


def run_reranked(
    collection: Collection,
    queries: Sequence[Query],
    reranks: Sequence[RerankRequest | None],
    *,
    progress: Progress | None = None,
    **fields: Any,
) -> list[tuple[Run, list[RerankReport]]]:
    """Search every query with each reranker.

    Returns for each item of `reranks` a run (query id -> document id -> score) and a list with one
    report for each query.

    reranks: the rerankers. An item None is the search without a reranker, which has no reports.
    fields:  further fields of SearchRequest.

    All searches of a query read one snapshot of the collection and share the encoded query. Queries
    run one after another, so the times of a query do not depend on other queries. `seconds` of a
    report includes reading the reranker's input.
    """
    progress = progress or NoProgress()
    base = widest_request({**fields, "include": ()})
    for rerank in reranks:  # Load the rerankers, and reject invalid ones before the searches.
        request = base.model_copy(update={"rerank": rerank})
        plan(collection.store, request, collection.rerankers, collection.rewriters)
    runs: list[dict[str, Mapping[str, float]]] = [{} for _ in reranks]
    reports: list[list[RerankReport]] = [[] for _ in reranks]
    progress.start("search", len(queries), "queries")
    for query in queries:
        request = request_for(base, query)
        requests = [request.model_copy(update={"rerank": rerank}) for rerank in reranks]
        for i, result in enumerate(collection.search_batch(requests)):
            runs[i][query.id] = run_scores(result)
            if result.rerank is not None:
                seconds = result.timings["rerank"] / 1e3
                reports[i].append(replace(result.rerank, seconds=seconds))
        progress.advance(1)
    progress.close()
    return list(zip(runs, reports, strict=True))


def rerank_table(
    collection: Collection,
    queries: Sequence[Query],
    qrels: Qrels,
    rerankers: Mapping[str, RerankRequest],
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    baseline: str = FIRST_STAGE,
    progress: Progress | None = None,
    **fields: Any,
) -> list[RerankRow]:
    """Evaluate a search without a reranker (the first stage), and with each reranker.

    Queries without judgements are ignored. Returns the rows of a table, the first stage first.

    rerankers: name of the row -> reranker.
    baseline:  name of the row that the other rows are compared with.
    fields:    further fields of SearchRequest.

    Raises InvalidInputError for an unknown baseline or measure.
    """
    names = [FIRST_STAGE, *rerankers]
    if baseline not in names:
        message = f"no row is named {baseline!r}; the rows are: {', '.join(names)}"
        raise InvalidInputError(message, field="baseline")
    evaluate({}, qrels, measures)  # Reject an unknown measure before minutes of reranking.
    collection.load()
    judged = judged_queries(list(queries), qrels)
    reranks = [None, *rerankers.values()]
    results = run_reranked(collection, judged, reranks, progress=progress, **fields)
    evaluations = [evaluate(run, qrels, measures) for run, _ in results]
    best = evaluations[names.index(baseline)]
    rows = []
    for name, evaluation, (_, reports) in zip(names, evaluations, results, strict=True):
        comparisons = {
            measure: compare(evaluation.per_query[measure], best.per_query[measure])
            for measure in measures
        }
        rows.append(
            RerankRow(
                name,
                evaluation,
                rerank_cost(reports) if reports else None,
                None if name == baseline else comparisons,
            )
        )
    return rows
