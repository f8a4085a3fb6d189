"""Write the documents and vectors of a collection as plain files.

The new folder has documents.jsonl, LEG.npy for each dense leg, LEG.jsonl for each sparse leg, and
collection.json with the configuration. Row n of a leg belongs to document n, or to passage n if
documents were split into passages. `twindex build` reads these files, with the options --vectors
LEG=FILE and --config collection.json.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from ...figures import counted
from ..arguments.common import add_collection, add_output, progress_of
from ..terminal import note, print_json

EXAMPLE = "twindex export my-index my-index-files"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "output", metavar="OUT", type=Path, help="new folder to write; it must not exist"
    )
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    with (
        closing(progress_of(arguments)) as progress,
        Collection.open(arguments.collection, read_only=True) as collection,
    ):
        report = collection.export(arguments.output, progress=progress)
    for warning in report.warnings:
        note(f"twindex: warning: {warning}")
    if arguments.json:
        print_json(asdict(report))
        return 0
    rows = (
        "" if report.passages == report.documents else f" in {counted(report.passages, 'passage')}"
    )
    print(f"{counted(report.documents, 'document')}{rows} in {arguments.output}")
    for leg, file in report.files.items():
        print(f"leg {leg}: {file}")
    for leg, reason in report.left_out.items():
        print(f"leg {leg}: not exported, because {reason}")
    return 0
