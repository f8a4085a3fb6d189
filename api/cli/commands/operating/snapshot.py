"""Copy a collection to a folder or an object store while it is searched and written.

The snapshot has the state of one commit, with the size and SHA-256 of every file. TARGET may hold
many snapshots. A snapshot that was interrupted does not exist; the next one removes its files.
"""

from __future__ import annotations

import argparse
from contextlib import closing

from ....figures import size
from ...arguments.common import add_collection, add_output, parse_bytes, progress_of
from ...terminal import print_json

EXAMPLE = "twindex snapshot my-index backups --keep 7"
TARGET = "folder of snapshots, or a URL such as s3://bucket/prefix"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("target", metavar="TARGET", help=TARGET)
    parser.add_argument(
        "--keep",
        type=int,
        metavar="N",
        help="remove all but the newest N snapshots of this collection (default: remove none)",
    )
    add_rate(parser)
    add_output(parser)


def add_rate(parser: argparse.ArgumentParser) -> None:
    """Add `--rate`."""
    parser.add_argument(
        "--rate",
        type=parse_bytes,
        metavar="SIZE",
        help="maximum bytes per second, such as 50MB, so that searches stay fast (default: no "
        "limit)",
    )


def run(arguments: argparse.Namespace) -> int:
    from .....search import Collection

    # The copy compares every checksum, so that opening need not.
    opened = Collection.open(arguments.collection, read_only=True, verify="size")
    with opened as collection, closing(progress_of(arguments)) as progress:
        made = collection.snapshot(
            arguments.target, keep=arguments.keep, rate=arguments.rate, progress=progress
        )
    if arguments.json:
        print_json(made.summary())
    else:
        print(f"{made.name}: {made.documents:,} documents, {size(made.bytes)}")
    return 0
