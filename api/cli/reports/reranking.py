"""The report of `twindex eval` on rerankers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ....core import Progress, Qrels, Query
from ...figures import counted
from ..arguments.reranking import RerankChoice
from .legs import check_baseline

if TYPE_CHECKING:
    from ....eval import RerankCost, RerankRow
    from ....search import Collection


def rerank_report(
    collection: Collection,
    queries: list[Query],
    qrels: Qrels,
    measures: list[str],
    fields: dict[str, Any],
    rerank: RerankChoice,
    baseline: str | None,
    progress: Progress,
) -> dict[str, Any]:
    """Return the report that compares the search without reranking with each reranker.

    baseline: name of the row that the others are compared with; None: the search without reranking.

    Raises InvalidInputError for an unknown baseline.
    """
    from ....eval import FIRST_STAGE, rerank_table

    baseline = baseline or FIRST_STAGE
    check_baseline(baseline, [FIRST_STAGE, *rerank.requests])
    rows = rerank_table(
        collection,
        queries,
        qrels,
        rerank.requests,
        measures,
        baseline=baseline,
        progress=progress,
        **fields,
    )
    return {
        "queries": len(qrels),
        "filter": fields.get("filter"),
        "search": fields.get("search"),
        "rerank_table": [_row(row, baseline) for row in rows],
    }


def _row(row: RerankRow, baseline: str) -> dict[str, Any]:
    report: dict[str, Any] = {"name": row.name, "measures": dict(row.evaluation.measures)}
    if row.comparisons is not None:
        report["comparisons"] = {
            name: {"baseline": baseline, **asdict(found)} for name, found in row.comparisons.items()
        }
    report["per_query"] = row.evaluation.per_query
    if row.cost is not None:
        report["rerank"] = cost_of(row.cost)
    return report


def cost_of(cost: RerankCost) -> dict[str, Any]:
    """Return the cost of reranking as a JSON object."""
    return {
        **asdict(cost),
        "calls_per_query": cost.calls,
        "tokens_per_query": cost.tokens,
    }


def costs(row: dict[str, Any]) -> list[str]:
    """Return the cost cells of a table row; empty cells for a row without reranking."""
    cost = row.get("rerank")
    if cost is None:
        return ["", "", ""]
    return [
        f"{cost['calls_per_query']:.1f}",
        f"{cost['tokens_per_query']:,.0f}",
        f"{cost['p50'] * 1e3:.1f}",
    ]


def cost_summary(cost: dict[str, Any]) -> str:
    """Return the cost of reranking as one line, with truncated, partial and failed counts."""
    shown = [
        f"{cost['calls_per_query']:.1f} calls and {cost['tokens_per_query']:,.0f} tokens a query",
        f"{cost['usage']['cache_hits']:,} remembered",
        f"{counted(cost['truncated'], 'text')} cut",
        f"{cost['judged']:,} of {cost['candidates']:,} hits judged",
        f"{cost['partial']} partial, {cost['failed']} failed",
    ]
    return f"{', '.join(shown)}; p50 {cost['p50'] * 1e3:.1f} ms, p95 {cost['p95'] * 1e3:.1f} ms"
