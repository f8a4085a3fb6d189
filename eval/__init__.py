"""Measuring how well a search finds what it should: data, runs, measures, tables."""

from .beir import BeirDataset, judged_queries
from .experiment import FUSIONS, Row, System, engine_search, leg_table, run_queries, systems
from .measures import DEFAULT_MEASURES, Evaluation, evaluate
from .significance import Comparison, compare
from .trec import read_run, write_qrels, write_run

__all__ = [
    "DEFAULT_MEASURES",
    "FUSIONS",
    "BeirDataset",
    "Comparison",
    "Evaluation",
    "Row",
    "System",
    "compare",
    "engine_search",
    "evaluate",
    "judged_queries",
    "leg_table",
    "read_run",
    "run_queries",
    "systems",
    "write_qrels",
    "write_run",
]
