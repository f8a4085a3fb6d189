"""Delete documents by id or by filter."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ....sources.lines import read_whole
from ...figures import counted
from ..arguments.common import add_collection, add_filter, add_json
from ..terminal import note, print_json

EXAMPLE = """twindex delete my-index --filter '{"year": {"lt": 1990}}'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", nargs="+", metavar="ID", help="ids of the documents to delete")
    which.add_argument(
        "--ids-file",
        type=Path,
        metavar="FILE",
        help="file with one id on each line, at most 64 MiB; `-` reads standard input",
    )
    add_filter(which)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    ids = arguments.id if arguments.ids_file is None else _read_ids(arguments.ids_file)
    report: dict[str, Any]
    with Collection.open(arguments.collection) as collection:
        if arguments.filter is not None:
            count = collection.delete_where(arguments.filter)
            report = {"deleted": int(count), "warnings": list(count.warnings)}
        else:
            wanted = list(dict.fromkeys(ids))
            deleted = len(collection.delete(wanted))
            report = {"deleted": deleted, "not_found": len(wanted) - deleted}
    if arguments.json:
        print_json(report)
        return 0
    print(f"{counted(report['deleted'], 'document')} deleted")
    if report.get("not_found"):
        print(f"{counted(report['not_found'], 'id')} not found")
    for warning in report.get("warnings", ()):
        note(f"warning: {warning}")
    return 0


def _read_ids(path: Path) -> list[str]:
    """Return the document ids in a file, one per line, without empty lines. Raises SourceError."""
    return [line for line in read_whole(path).split("\n") if line]
