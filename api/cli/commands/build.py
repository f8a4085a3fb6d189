"""Build a collection from files.

The build saves its progress. Run the same command again to continue an interrupted build. With
--sync, the command updates a collection to the state of folders and files instead.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ....core import InvalidInputError
from ...figures import counted, size
from ..arguments.common import (
    add_collection,
    add_models,
    add_output,
    loader_of,
    parse_bytes,
    progress_of,
    share_cores,
)
from ..arguments.configuration import add_configuration, configuration
from ..arguments.inputs import Inputs, add_inputs
from ..arguments.vectors import add_vectors
from ..syncing import add_sync, check_sync, run_sync
from ..terminal import model_usage, note, print_json, print_skipped

INTERRUPTED = (
    "twindex: stored work is kept, and at most about a minute of encoding is repeated; run the "
    "same command again to continue"
)

EXAMPLE = "twindex build my-index --documents corpus.jsonl.gz --language en --memory-budget 2GB"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_inputs(parser)
    add_vectors(parser)
    add_configuration(parser)
    parser.add_argument(
        "--memory-budget",
        type=parse_bytes,
        metavar="SIZE",
        help="maximum memory of the build, models included, e.g. 2GB (default: no limit)",
    )
    add_sync(parser)
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    if arguments.sync or arguments.watch is not None:
        return run_sync(arguments)
    check_sync(arguments)
    config = configuration(arguments)
    inputs = Inputs(arguments)
    share_cores()

    from ....search import build

    documents = inputs.documents()
    try:
        report = build(
            arguments.collection,
            documents,
            config,
            memory_budget=arguments.memory_budget,
            total=inputs.total,
            progress=progress_of(arguments),
            encoders=loader_of(arguments),
            refused=inputs.refused,
        )
    except KeyboardInterrupt:
        note(INTERRUPTED)
        raise
    except InvalidInputError:
        if inputs.skipped:
            inputs.report()
        raise
    inputs.report()
    if arguments.json:
        print_json({**asdict(report), **inputs.json()})
        return 0
    if report.resumed_at:
        print(f"continued after {counted(report.resumed_at, 'document')}")
    written = sum(file.stat().st_size for file in arguments.collection.rglob("*") if file.is_file())
    print(
        f"{counted(report.documents, 'document')} in {counted(report.passages, 'passage')}, "
        f"{size(written)} in {arguments.collection}, {report.seconds:.1f} s"
    )
    if report.usage is not None:
        print(model_usage(report.usage))
    if report.duplicates:
        repeated = counted(report.duplicates, "document")
        print(f"{repeated} replaced by a later document with the same id")
    print_skipped(inputs.skipped, report.truncated)
    return 0
