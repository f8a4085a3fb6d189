"""Evaluate searches with judged queries.

Queries come as BEIR's queries.jsonl or `id<TAB>text`, judgements as BEIR's qrels or TREC's. Only
queries with judgements are run; one that finds nothing counts as 0.
"""

from __future__ import annotations

import argparse
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core import InvalidInputError, Progress, Qrels, Query
from ..terminal import counted, note, print_json, table
from .arguments import (
    add_collection,
    add_json,
    add_models,
    add_quiet,
    add_selection,
    loader_of,
    progress_of,
    selection_fields,
)

if TYPE_CHECKING:
    from ...search import Engine

EXAMPLE = "twindex eval my-index --queries queries.jsonl --qrels qrels/test.tsv --table"
MEASURES = "nDCG@10,R@100,RR@10"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("--queries", type=Path, required=True, metavar="FILE", help="queries")
    parser.add_argument("--qrels", type=Path, required=True, metavar="FILE", help="judgements")
    parser.add_argument(
        "--measures",
        default=MEASURES,
        metavar="NAME,...",
        help=f"as ir_measures names them (default: {MEASURES})",
    )
    add_selection(parser)
    parser.add_argument(
        "--run",
        type=Path,
        dest="run_file",
        metavar="OUT.trec",
        help="also write what was found, as a TREC run",
    )
    parser.add_argument(
        "--table", action="store_true", help="each leg alone, and all legs under each fusion"
    )
    add_models(parser)
    add_quiet(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    fields = selection_fields(arguments)
    if arguments.table:
        given = {
            "--legs": arguments.legs,
            "--fusion": arguments.fusion,
            "--run": arguments.run_file,
        }
        for option, value in given.items():
            if value:
                raise InvalidInputError("does not go with --table", field=option)
    _keep_inputs(arguments)
    outside_brackets = r",(?![^(]*\))"
    measures = [name.strip() for name in re.split(outside_brackets, arguments.measures)]
    queries, qrels = _read(arguments)
    progress = progress_of(arguments)

    from ...search import Engine

    encoders = loader_of(arguments)
    with Engine.open(arguments.collection, read_only=True, encoders=encoders) as engine:
        try:
            if arguments.table:
                report = _table(engine, queries, qrels, measures, fields, progress)
            else:
                out = arguments.run_file
                report = _single(engine, queries, qrels, measures, fields, progress, out)
        finally:
            progress.close()
        info = engine.info()
        usage = engine.usage
    report["collection"] = {key: info[key] for key in ("path", "documents", "generation", "legs")}
    if usage is not None:
        report["usage"] = asdict(usage)
    if arguments.json:
        print_json(report)
    else:
        _print(report, measures)
    return 0


def _keep_inputs(arguments: argparse.Namespace) -> None:
    """Refuse to write the run over what it is made from."""
    out: Path | None = arguments.run_file
    for option, path in (("--queries", arguments.queries), ("--qrels", arguments.qrels)):
        if out is not None and out.exists() and path.exists() and out.samefile(path):
            raise InvalidInputError(f"would overwrite the file of {option}", field="--run")


def _read(arguments: argparse.Namespace) -> tuple[list[Query], Qrels]:
    from ...eval import judged_queries
    from ...sources import read_qrels, read_queries

    qrels = read_qrels(arguments.qrels)
    queries = judged_queries(read_queries(arguments.queries), qrels)
    if not queries:
        message = f"none of its queries has judgements in {arguments.qrels}"
        raise InvalidInputError(message, field="--queries")
    if len(queries) < len(qrels):
        lost = counted(len(qrels) - len(queries), "judged query is", "judged queries are")
        note(f"twindex: warning: {lost} not in {arguments.queries}, and count as 0")
    return queries, qrels


def _single(
    engine: Engine,
    queries: list[Query],
    qrels: Qrels,
    measures: list[str],
    fields: dict[str, Any],
    progress: Progress,
    out: Path | None,
) -> dict[str, Any]:
    """The report on one way to search."""
    from ...eval import engine_search, evaluate, run_queries, write_run
    from ...search import Fusion

    evaluate({}, qrels, measures)  # wrong measures and options come out before the work
    search = engine_search(engine, **fields)
    engine.load()
    progress.start("search", len(queries), "queries")
    began = time.perf_counter()
    run = run_queries(search, queries, progress.advance)
    seconds = time.perf_counter() - began
    if out is not None:
        write_run(out, run)
    legs = fields.get("legs") or [{"name": name} for name in engine.config.legs]
    chosen = Fusion.parse(fields.get("fusion", {}))
    fusion = {"method": chosen.method, **({"k": chosen.constant} if chosen.method == "rrf" else {})}
    return {
        "measures": dict(evaluate(run, qrels, measures).measures),
        "queries": len(qrels),
        "legs": [{"weight": 1.0, **leg} for leg in legs],
        "fusion": fusion if len(legs) > 1 else None,
        "filter": fields.get("filter"),
        "search": fields.get("search"),
        "seconds": seconds,
    }


def _table(
    engine: Engine,
    queries: list[Query],
    qrels: Qrels,
    measures: list[str],
    fields: dict[str, Any],
    progress: Progress,
) -> dict[str, Any]:
    """The report on each leg alone, and all legs under each fusion."""
    from ...eval import leg_table

    rows = leg_table(engine, queries, qrels, measures, progress=progress, **fields)
    return {
        "queries": len(qrels),
        "filter": fields.get("filter"),
        "search": fields.get("search"),
        "table": [
            {
                "name": row.system.name,
                "legs": [leg.name for leg in row.system.legs],
                "fusion": row.system.fusion and row.system.fusion.method,
                "measures": dict(row.evaluation.measures),
                "ms_per_query": row.seconds / len(queries) * 1e3,
            }
            for row in rows
        ],
    }


def _print(report: dict[str, Any], measures: list[str]) -> None:
    if "table" in report:
        lines = [
            [row["name"], *(f"{row['measures'][name]:.4f}" for name in measures),
             f"{row['ms_per_query']:.1f}"]
            for row in report["table"]
        ]  # fmt: skip
        print(table(["", *measures, "ms/query"], lines))
    else:
        values = report["measures"].items()
        print(table(["measure", "mean"], [[name, f"{value:.4f}"] for name, value in values]))
    note(f"{counted(report['queries'], 'query', 'queries')}, {report['collection']['path']}")
