"""Measuring how well a search finds what it should: data, runs, measures, tables."""

from .beir import BeirDataset, judged_queries
from .experiment import FUSIONS, Row, System, engine_search, leg_table, run_queries, systems
from .measures import DEFAULT_MEASURES, Evaluation, evaluate
from .rerank_table import RerankCost, RerankRow, rerank_cost, rerank_table, run_reranked
from .significance import Comparison, compare
from .trec import read_run, write_qrels, write_run

__all__ = [
    "DEFAULT_MEASURES",
    "FUSIONS",
    "BeirDataset",
    "Comparison",
    "Evaluation",
    "RerankCost",
    "RerankRow",
    "Row",
    "System",
    "compare",
    "engine_search",
    "evaluate",
    "judged_queries",
    "leg_table",
    "read_run",
    "rerank_cost",
    "rerank_table",
    "run_queries",
    "run_reranked",
    "systems",
    "write_qrels",
    "write_run",
]
