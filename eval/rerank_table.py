"""What rerankers find and what they cost, over the same lists of a first stage."""

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
from ..search.request import RerankRequest
from .beir import judged_queries
from .experiment import run_scores, widest
from .measures import DEFAULT_MEASURES, Evaluation, evaluate
from .significance import Comparison, compare

if TYPE_CHECKING:
    from ..search import Collection

FIRST_STAGE = "first stage"
"""The name of the row without a reranker."""

WARNINGS = 3
"""Kept of those of many queries."""


@dataclass(frozen=True, slots=True)
class RerankCost:
    """What reranking some queries cost, all of them together unless it says otherwise.

    partial, failed: queries with that status.
    judged:    candidates that were looked at, of `candidates`.
    truncated: candidates whose text was not read to its end.
    warnings:  the commonest few, each with the queries that had it.
    p50, p95:  median and 95th percentile of the seconds that reranking added to the search of a
               query, the queries one after another: what the reranker reads is fetched in them, the
               first stage and encoding the query are not.
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
        """Of a query, on average."""
        return self.usage.calls / max(1, self.queries)

    @property
    def tokens(self) -> float:
        """Read and written for a query, on average."""
        return (self.usage.prompt_tokens + self.usage.completion_tokens) / max(1, self.queries)


@dataclass(frozen=True, slots=True)
class RerankRow:
    """A line of a table of rerankers.

    cost:        None for the first stage.
    comparisons: measure -> this row against the baseline; None for the baseline.
    """

    name: str
    evaluation: Evaluation
    cost: RerankCost | None = None
    comparisons: Mapping[str, Comparison] | None = None


def rerank_cost(reports: Sequence[RerankReport]) -> RerankCost:
    """Add up the reports of several queries, of which there must be one at least."""
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
    """Every query with each of several rerankers; None = the first stage alone.

    All searches of a query are of one state of the collection, and it is encoded once for them.
    Queries come one after another, so that each has its own time: the `seconds` of these reports
    are those of the stage "rerank" of a search, which fetches what the reranker reads, too.
    `fields` are further fields of SearchRequest.
    """
    progress = progress or NoProgress()
    base = widest({**fields, "include": ()})
    for rerank in reranks:  # Load them, and find what cannot be before the work begins.
        plan(collection.store, base.model_copy(update={"rerank": rerank}), collection.rerankers)
    runs: list[dict[str, Mapping[str, float]]] = [{} for _ in reranks]
    reports: list[list[RerankReport]] = [[] for _ in reranks]
    progress.start("search", len(queries), "queries")
    for query in queries:
        given = base.model_copy(update={"query": query.text})
        asked = [given.model_copy(update={"rerank": rerank}) for rerank in reranks]
        for i, result in enumerate(collection.search_batch(asked)):
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
    """The first stage alone, and what each reranker makes of its lists.

    rerankers: how a line is called -> what is asked for. Only queries with judgements are run.
    baseline:  name of the line that the others are compared with. Raises InvalidInputError when
               there is none of this name.
    """
    names = [FIRST_STAGE, *rerankers]
    if baseline not in names:
        message = f"no line is named {baseline!r}: {', '.join(names)}"
        raise InvalidInputError(message, field="baseline")
    evaluate({}, qrels, measures)  # a wrong measure should not be found after minutes of reranking
    collection.load()
    judged = judged_queries(list(queries), qrels)
    reranks = [None, *rerankers.values()]
    found = run_reranked(collection, judged, reranks, progress=progress, **fields)
    evaluations = [evaluate(run, qrels, measures) for run, _ in found]
    best = evaluations[names.index(baseline)]
    rows = []
    for name, evaluation, (_, reports) in zip(names, evaluations, found, strict=True):
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
