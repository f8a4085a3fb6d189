"""Measures the quality of searches: data sets, runs, measures, comparisons and tables."""

from .beir import BeirDataset, judged_queries
from .comparison import ComparedSystem, Measured, compare_systems, measure_run
from .experiment import (
    FUSIONS,
    Row,
    System,
    engine_search,
    leg_table,
    run_queries,
    searching_legs,
    systems,
)
from .measures import DEFAULT_MEASURES, Evaluation, evaluate
from .reports import is_report, read_report
from .rerank_table import (
    FIRST_STAGE,
    RerankCost,
    RerankRow,
    rerank_cost,
    rerank_table,
    run_reranked,
)
from .significance import Comparison, compare, holm
from .trec import read_run, write_qrels, write_run

__all__ = [
    "DEFAULT_MEASURES",
    "FIRST_STAGE",
    "FUSIONS",
    "BeirDataset",
    "ComparedSystem",
    "Comparison",
    "Evaluation",
    "Measured",
    "RerankCost",
    "RerankRow",
    "Row",
    "System",
    "compare",
    "compare_systems",
    "engine_search",
    "evaluate",
    "holm",
    "is_report",
    "judged_queries",
    "leg_table",
    "measure_run",
    "read_report",
    "read_run",
    "rerank_cost",
    "rerank_table",
    "run_queries",
    "run_reranked",
    "searching_legs",
    "systems",
    "write_qrels",
    "write_run",
]
