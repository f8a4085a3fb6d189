"""Evaluate searches with judged queries.

Queries are BEIR's queries.jsonl or `id<TAB>text`; judgements are BEIR's or TREC's qrels. Only
queries with judgements run. A query without results counts as 0. A query may bring vectors, as
{"leg": vector} in its field `vectors` or as a row of the file of --vectors.

`twindex compare` compares the runs and reports of this command.

With --rerank, the report includes the cost of reranking. Queries then run one at a time, to measure
the time of each. With --rerank and --table, each reranker is compared with the first stage (the
search without reranking) on the same hits.

With --answers, the collection's answers to the queries are evaluated: correctness, citations,
abstention and cost.
"""

from __future__ import annotations

import argparse
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError, Progress, Qrels, Query, Run, SourceError
from ....sources import STDIN, read_qrels
from ...figures import counted
from ..arguments.answering import add_answers, given_answers
from ..arguments.common import (
    add_collection,
    add_models,
    add_output,
    add_selection,
    loader_of,
    progress_of,
    selection_fields,
)
from ..arguments.inputs import add_judged, read_judged
from ..arguments.reranking import RerankChoice, add_rerank, rerank_choice
from ..arguments.rewriting import add_rewriter, rewriter_choice
from ..arguments.understanding import add_feedback, feedback_fields
from ..arguments.vectors import add_query_vectors, check_query_legs, with_query_vectors
from ..reports.answers import evaluate_and_print
from ..reports.legs import cells, leg_report
from ..reports.reranking import cost_of, cost_summary, costs, rerank_report
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....search import Collection

EXAMPLE = "twindex eval my-index --queries queries.jsonl --qrels qrels/test.tsv --table"
MAX_NAMES = 500
"""Maximum number of document ids in one filter."""

MEASURES = "nDCG@10,R@100,RR@10"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_judged(parser)
    parser.add_argument(
        "--measures",
        default=MEASURES,
        metavar="NAME,...",
        help=f"measures in the notation of ir_measures (default: {MEASURES})",
    )
    parser.add_argument(
        "--exclude-seen-in",
        type=Path,
        metavar="QRELS",
        help="judgements of a training set, whose queries must be in --queries too. Test queries "
        "that share a relevant document with a training query, or nearly copy one, are skipped",
    )
    add_query_vectors(parser, "row n for query n of --queries,")
    add_selection(parser)
    add_feedback(parser)
    add_rewriter(parser, on_error="fail")  # A failure must not pass for the plain search.
    parser.add_argument(
        "--run",
        type=Path,
        dest="run_file",
        metavar="OUT.trec",
        help="also write the results to this file, as a TREC run",
    )
    parser.add_argument(
        "--table",
        action="store_true",
        help="evaluate each leg alone, and all legs under each fusion; with --rerank, the first "
        "stage and each reranker",
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="with --table: the row that the others are compared with (default: for a fusion the "
        "best single leg, for a reranker the first stage)",
    )
    add_rerank(parser, several=True)
    add_answers(parser)
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    rewriter = rewriter_choice(arguments)
    fields = {**selection_fields(arguments), **feedback_fields(arguments), **rewriter.fields}
    rerank = rerank_choice(arguments, several=arguments.table)
    if given_answers(arguments):
        if arguments.vectors:
            raise InvalidInputError("cannot be combined with --answers", field="--vectors")
        return evaluate_and_print(arguments, fields, rerank, rewriter, MEASURES)
    if arguments.table:
        given = {"--run": arguments.run_file}
        if not rerank.requests:
            given |= {"--legs": arguments.legs, "--fusion": arguments.fusion}
            given |= {"--feedback": arguments.feedback, "--rewriter": arguments.rewriter}
        for option, value in given.items():
            if value:
                raise InvalidInputError("cannot be combined with --table", field=option)
    baseline: str | None = arguments.baseline
    if baseline is not None and not arguments.table:
        raise InvalidInputError(
            "requires --table; `twindex compare` compares runs", field="--baseline"
        )
    _check_files(arguments)
    measures = parse_measures(arguments.measures)
    queries, qrels = _read(arguments)

    from ....search import Collection

    found: Run | None = None
    with Collection.open(
        arguments.collection,
        read_only=True,
        encoders=loader_of(arguments),
        rerankers=rerank.registry,
        rewriters=rewriter.registry,
    ) as collection:
        check_query_legs(queries, collection.config.legs)
        with closing(progress_of(arguments)) as progress:
            common = (collection, queries, qrels, measures, fields)
            if not arguments.table:
                report, found = _single(*common, rerank, progress)
            elif rerank.requests:
                report = rerank_report(*common, rerank, baseline, progress)
            else:
                report = leg_report(*common, baseline, progress)
        _note_missing(collection, qrels)
        info = collection.info()
        usage = collection.usage
    report["collection"] = {key: info[key] for key in ("path", "documents", "generation", "legs")}
    if usage is not None:
        report["usage"] = asdict(usage)
    unwritten = None if arguments.run_file is None or found is None else _write(arguments, found)
    if arguments.json:
        print_json(report)
    else:
        _print(report, measures, baseline)
    if unwritten is not None:  # Raised last: the report is printed even if writing failed.
        raise unwritten
    return 0


def _note_missing(collection: Collection, qrels: Qrels) -> None:
    """Print a warning if documents that are judged relevant are not in the collection."""
    names = sorted({n for judged in qrels.values() for n, grade in judged.items() if grade > 0})
    parts = [names[i : i + MAX_NAMES] for i in range(0, len(names), MAX_NAMES)]
    if lost := len(names) - sum(collection.count({"id": {"in": part}}) for part in parts):
        many = f"{lost:,} of {counted(len(names), 'relevant document')}"
        note(f"twindex: warning: missing from the collection: {many}; no search can find them")


def _write(arguments: argparse.Namespace, run: Run) -> InvalidInputError | None:
    """Write the results as a TREC run. Return the error if that fails, else None."""
    from ....eval import write_run

    try:
        write_run(arguments.run_file, run)
    except SourceError as error:
        return error
    except InvalidInputError as error:
        message = f"{error.message}; use --json to get the value of each query"
        return InvalidInputError(message, field="--run")
    return None


def parse_measures(text: str) -> list[str]:
    """Split `nDCG@10,AP(rel=2,judged_only=True)` at the commas that are outside brackets."""
    names: list[str] = []
    for piece in text.split(","):
        if names and names[-1].count("(") > names[-1].count(")"):
            names[-1] += f",{piece}"
        else:
            names.append(piece)
    return [name.strip() for name in names]


def _check_files(arguments: argparse.Namespace) -> None:
    """Raise InvalidInputError if --run would overwrite an input file, or both inputs are `-`."""
    if arguments.queries == arguments.qrels == STDIN:
        message = "cannot read standard input, which --qrels reads too; name a file"
        raise InvalidInputError(message, field="--queries")
    out: Path | None = arguments.run_file
    for option, path in (("--queries", arguments.queries), ("--qrels", arguments.qrels)):
        if out is not None and out.exists() and path.exists() and out.samefile(path):
            raise InvalidInputError(
                f"would overwrite the file of {option}; name another file", field="--run"
            )


def _read(arguments: argparse.Namespace) -> tuple[list[Query], Qrels]:
    from ....eval import judged_queries

    given, qrels = read_judged(arguments)
    given = with_query_vectors(given, arguments.vectors)
    queries = judged_queries(given, qrels)
    if len(queries) < len(qrels):
        lost = counted(len(qrels) - len(queries), "judged query is", "judged queries are")
        note(f"twindex: warning: {lost} not in {arguments.queries} and count as 0")
    if arguments.exclude_seen_in is not None:
        from ....train.separation import separate

        training = read_qrels(arguments.exclude_seen_in)
        if unknown := len(training.keys() - {query.id for query in given}):
            note(
                f"twindex: warning: {unknown} of {counted(len(training), 'query', 'queries')} of "
                f"{arguments.exclude_seen_in} not in {arguments.queries}: queries that nearly "
                "copy them are not skipped"
            )
        found = separate(queries, qrels, given, training)
        note(
            f"{len(found.clean)} of {counted(len(queries), 'query', 'queries')} not seen in "
            f"training: {len(found.sharing)} share a relevant document, {len(found.copying)} "
            "nearly copy a query"
        )
        queries = list(found.clean)
        if not queries:
            raise InvalidInputError(
                "leaves no test query; add queries to --queries", field="--exclude-seen-in"
            )
        qrels = {query.id: qrels[query.id] for query in queries}
    return queries, qrels


def _single(
    collection: Collection,
    queries: list[Query],
    qrels: Qrels,
    measures: list[str],
    fields: dict[str, Any],
    rerank: RerankChoice,
    progress: Progress,
) -> tuple[dict[str, Any], Run]:
    """Search with the given options, without `--table`. Return the report and the results."""
    from ....eval import (
        engine_search,
        evaluate,
        rerank_cost,
        run_queries,
        run_reranked,
        searching_legs,
    )
    from ....search import Fusion

    evaluate({}, qrels, measures)  # Raises for unknown measures before the searches run.
    search = engine_search(collection, **fields)
    collection.load()
    began = time.perf_counter()
    if not rerank.requests:
        progress.start("search", len(queries), "queries")
        run = run_queries(search, queries, progress.advance)
        costs_of_run = {}
    else:
        ((name, wanted),) = rerank.requests.items()
        ((run, reports),) = run_reranked(collection, queries, [wanted], progress=progress, **fields)
        costs_of_run = {"rerank": {"model": name, **cost_of(rerank_cost(reports))}}
    seconds = time.perf_counter() - began
    legs = fields.get("legs") or [{"name": name} for name in searching_legs(collection)]
    fused = Fusion.parse(fields.get("fusion", {}))
    fusion = {"method": fused.method, **({"k": fused.constant} if fused.method == "rrf" else {})}
    evaluation = evaluate(run, qrels, measures)
    report = {
        "measures": dict(evaluation.measures),
        "per_query": evaluation.per_query,
        "queries": len(qrels),
        "legs": [{"weight": 1.0, **leg} for leg in legs],
        "fusion": fusion if len(legs) > 1 else None,
        "filter": fields.get("filter"),
        "search": fields.get("search"),
        **({"rewrite": fields["rewrite"]} if "rewrite" in fields else {}),
        "seconds": seconds,
        **costs_of_run,
    }
    return report, run


def p_value_note(baseline: str) -> str:
    """Return the note below a table that explains its p-values.

    baseline: name of the row that the other rows are compared with.
    """
    return f"p: probability that chance alone makes a difference this large from {baseline}"


def _print(report: dict[str, Any], measures: list[str], baseline: str | None) -> None:
    header = ["", *(column for name in measures for column in (name, "p"))]
    if "table" in report:
        rows = [[*cells(row, measures), f"{row['ms_per_query']:.1f}"] for row in report["table"]]
        print(table([*header, "ms/query"], rows))
        if any(row["comparisons"] for row in report["table"]):
            note(p_value_note(baseline or "the best leg alone"))
    elif "rerank_table" in report:
        rows = [[*cells(row, measures), *costs(row)] for row in report["rerank_table"]]
        print(table([*header, "calls/query", "tokens/query", "p50 ms"], rows))
        note(p_value_note(baseline or "first stage"))
    else:
        values = report["measures"].items()
        print(table(["measure", "mean"], [[name, f"{value:.4f}"] for name, value in values]))
    for row in report.get("rerank_table", [report]):
        if "rerank" in row:
            note(f"{row.get('name') or row['rerank']['model']}: {cost_summary(row['rerank'])}")
            for warning, count in row["rerank"]["warnings"].items():
                note(f"  {counted(count, 'query', 'queries')}: {warning}")
    note(f"{counted(report['queries'], 'query', 'queries')}, {report['collection']['path']}")
