"""Restore a snapshot as a collection in a new folder.

The size and SHA-256 of every file are compared. DIR appears once it is complete, so an interrupted
restoration leaves no collection.
"""

from __future__ import annotations

import argparse
from contextlib import closing

from ....figures import size
from ...arguments.common import add_output, parse_folder, progress_of
from ...terminal import print_json
from .snapshot import TARGET, add_rate

EXAMPLE = "twindex restore backups my-index"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=TARGET)
    parser.add_argument("directory", metavar="DIR", type=parse_folder, help="new folder")
    parser.add_argument(
        "--snapshot",
        metavar="NAME",
        help="snapshot to restore, as listed by `twindex snapshots` (default: the newest)",
    )
    add_rate(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....search import Collection

    with closing(progress_of(arguments)) as progress:
        made = Collection.restore(
            arguments.target,
            arguments.directory,
            snapshot=arguments.snapshot,
            rate=arguments.rate,
            progress=progress,
        )
    if arguments.json:
        print_json(made.summary())
    else:
        print(f"{made.name}: {made.documents:,} documents, {size(made.bytes)}")
    return 0
