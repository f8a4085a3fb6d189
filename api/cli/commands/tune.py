"""Choose how vectors are stored, by measuring on the collection.

Every configuration of a grid (index x codec x projection, at several recall targets) is built from
the collection's own vectors and searched. Quality is the share of the 10 nearest documents that a
search finds, or nDCG@10 with --qrels. The command recommends one configuration within the limits.
It writes this configuration, all measurements, plots and an HTML page. Exit status 1: no
configuration meets the limits.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....core import InvalidInputError, NotFoundError, Qrels, Query, TwindexError
from ...figures import counted
from ...serving.settings import option
from ..arguments.common import (
    add_collection,
    add_models,
    add_output,
    errors_name_options,
    given,
    loader_of,
    parse_bytes,
    parse_folder,
    progress_of,
)
from ..arguments.vectors import add_query_vectors, with_query_vectors
from ..terminal import note, print_json, table

if TYPE_CHECKING:
    from ....eval.tuning import Point, Report

EXAMPLE = "twindex tune my-index --memory 500MB --p95-ms 5 --min-recall 0.95 --apply"

AXES = {"indexes": "index", "codecs": "codec", "projections": "projection"}
"""Argument -> the part of a configuration that it restricts."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "--leg", default="dense", metavar="NAME", help="dense leg to tune (default: dense)"
    )
    measured = parser.add_argument_group("measurement")
    measured.add_argument(
        "--queries",
        type=Path,
        metavar="FILE",
        help="BEIR's queries.jsonl or id<TAB>text (default: documents of the collection are used "
        "as queries, and a document does not count as a result for itself)",
    )
    measured.add_argument(
        "--qrels", type=Path, metavar="FILE", help="relevance judgements; quality is then nDCG@10"
    )
    add_query_vectors(parser, "row n for query n of --queries,")
    measured.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="maximum number of passages to measure on (default: 50000)",
    )
    measured.add_argument(
        "--query-sample",
        type=int,
        metavar="N",
        help="maximum number of queries to measure with (default: 500)",
    )
    measured.add_argument(
        "--depth",
        type=int,
        metavar="N",
        help="results that a search takes from the leg (default: 10; the default of `twindex "
        "search` is 1000)",
    )
    measured.add_argument(
        "--seed", type=int, default=0, metavar="N", help="random seed of the samples (default: 0)"
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--bytes-per-vector", type=float, metavar="N", help="maximum bytes per vector in all files"
    )
    limits.add_argument(
        "--memory",
        type=parse_bytes,
        metavar="SIZE",
        help="maximum memory of the index of the whole collection, e.g. 500MB",
    )
    limits.add_argument(
        "--p95-ms",
        type=float,
        metavar="X",
        help="maximum 95th percentile of a query's time, in milliseconds",
    )
    limits.add_argument(
        "--min-recall",
        type=float,
        metavar="R",
        help="minimum recall@10: share of the 10 nearest vectors that a search must find",
    )
    grid = parser.add_argument_group("candidates")
    grid.add_argument(
        "--grid",
        type=Path,
        metavar="FILE.toml",
        help="TOML file of the grid: `recall = [...]`, and [[block]] tables with lists of index, "
        "codec, projection and originals (default: every useful combination)",
    )
    for name in AXES:
        example = {"indexes": "flat,ivf", "codecs": "int8,pq", "projections": "none,pca:0.5"}
        text = f"only these {name} of the grid, e.g. {example[name]}"
        grid.add_argument(option(name), type=_names, metavar="NAME,...", help=text)
    parser.add_argument(
        "--output",
        type=parse_folder,
        metavar="DIR",
        help="folder for the results (default: NAME-tuning, with the name of the collection)",
    )
    parser.add_argument(
        "--apply", action="store_true", help="apply the recommendation to the collection"
    )
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....eval.tuning import Grid, Limits, tune, write
    from ....eval.tuning.files import as_json
    from ....search import Collection

    output = _output(arguments)
    queries, qrels = _read(arguments)
    grid = None if arguments.grid is None else Grid.read(arguments.grid)
    only = {axis: names for name, axis in AXES.items() if (names := getattr(arguments, name))}
    limits = Limits(
        arguments.bytes_per_vector, arguments.memory, arguments.p95_ms, arguments.min_recall
    )
    encoders = loader_of(arguments)
    sizes = given(arguments, ("sample", "depth", "seed"))
    sizes |= {"number": arguments.query_sample} if arguments.query_sample is not None else {}
    renamed = {"number": "--query-sample", **{axis: option(name) for name, axis in AXES.items()}}
    # Create the folder first: an unwritable folder must fail before the measurements.
    new = not output.exists()
    with Collection.open(
        arguments.collection, read_only=not arguments.apply, encoders=encoders
    ) as collection:
        output.mkdir(parents=True, exist_ok=True)
        try:
            with (
                errors_name_options(arguments, **renamed),
                closing(progress_of(arguments)) as progress,
            ):
                report = tune(
                    collection,
                    arguments.leg,
                    limits=limits,
                    grid=grid,
                    only=only,
                    queries=queries,
                    qrels=qrels,
                    encoders=encoders,
                    progress=progress,
                    **sizes,
                )
                written = write(report, output)
                applied = None
                if arguments.apply and report.recommended is not None:
                    storage = report.recommended.storage
                    applied = collection.reconfigure({report.leg: storage}, progress=progress)
        except TwindexError as error:
            if new:
                with suppress(OSError):  # A folder with files in it stays.
                    output.rmdir()
            if isinstance(error, NotFoundError) and "leg" in str(error):
                raise InvalidInputError(str(error), field="--leg") from None
            raise
        segments = len(collection.info()["segments"])
    files = [str(path) for path in written]
    if arguments.json:
        changed = None if applied is None else applied.changed
        print_json({**as_json(report), "files": files, "applied": changed})
    else:
        _print(report)
        note(f"written: {', '.join(files)}")
    for warning in () if applied is None else applied.warnings:
        note(f"twindex: warning: {warning}")
    if report.recommended is None:
        return 1
    if applied is not None:
        note("applied to the collection" if applied.changed else "already stored this way")
        if applied.changed and not report.recommended.keeps_originals:
            note("twindex: warning: original vectors are no longer stored; this cannot be undone")
        if segments > 1:
            note(
                f"measured for one segment, but the collection has {segments}: run `twindex merge`"
            )
    return 0


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("a name is empty; write e.g. flat,ivf")
    return names


def _output(arguments: argparse.Namespace) -> Path:
    """Return the results folder. Raises InvalidInputError if it is inside the collection."""
    collection: Path = arguments.collection.resolve()
    output = arguments.output or Path(f"{collection.name}-tuning")
    if collection in (output.resolve(), *output.resolve().parents):
        raise InvalidInputError("is inside the collection; name another folder", field="--output")
    return output


def _read(arguments: argparse.Namespace) -> tuple[list[Query] | None, Qrels | None]:
    from ....sources import read_qrels, read_queries

    if arguments.queries is None:
        for name in ("qrels", "vectors"):
            if getattr(arguments, name):
                raise InvalidInputError("requires --queries", field=option(name))
        return None, None
    for leg, _ in arguments.vectors:
        if leg != arguments.leg:
            message = f"has vectors for leg {leg!r}, but --leg is {arguments.leg!r}; name this leg"
            raise InvalidInputError(message, field="--vectors")
    qrels = None if arguments.qrels is None else read_qrels(arguments.qrels)
    return with_query_vectors(read_queries(arguments.queries), arguments.vectors), qrels


def _print(report: Report) -> None:
    """Print the configurations with the best trade-offs, and the recommended configuration."""
    from ....eval.tuning.files import limits, summary

    on = report.measured_on
    of = f" of {on['of_passages']:,}" if on["passages"] != on["of_passages"] else ""
    queries = counted(on["queries"], "query", "queries")
    if on["queries_are"] == "documents":
        queries = f"{counted(on['queries'], 'document')} as queries"
    note(
        f"{counted(len(report.points), 'configuration')} on {on['passages']:,}{of} passages, "
        f"{queries}; {counted(len(report.skipped), 'other')} not measured"
    )
    for text in report.notes:
        note(f"note: {text}")
    print(table(_HEADER, [_line(report.points[i]) for i in _shown(report)]))
    if limited := limits(report):
        print("limits: " + ", ".join(f"{name} {value}" for name, value in limited.items()))
    if report.recommended is None:
        print(f"nothing recommended: {report.choice.reason}")
        return
    print(f"recommended: {report.recommended.name}, {report.choice.reason}")
    shown = summary(report, report.recommended)
    print("  " + ", ".join(f"{name} {value}" for name, value in shown))


_HEADER = ["best trade-offs", "quality", "recall", "bytes/vector", "memory MB", "p95 ms", "CPU ms"]


def _line(point: Point) -> list[str]:
    from ....eval.tuning.chart import short

    figures: Sequence[Any] = (
        f"{point.quality:.4f}",
        f"{point.recall:.4f}",
        f"{point.bytes_per_vector:,.0f}",
        short(point.memory / 1e6),
        short(point.p95_ms),
        short(point.cpu_ms),
    )
    return [point.name, *figures]


def _shown(report: Report) -> list[int]:
    chosen = report.choice.recommended
    shown = {*report.front, *(() if chosen is None else (chosen,))}
    return sorted(shown, key=lambda i: -report.points[i].quality)
