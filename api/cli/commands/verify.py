"""Check every file of a collection and every row of its database.

The exit status is 1 when something is wrong; the report names the file and the document. Nothing is
changed, and the folder need not be writable. When acknowledged writes are missing, for example
after damage to the write-ahead log, the collection does not open until they are restored from a
backup or given up with --accept.
"""

from __future__ import annotations

import argparse

from ..arguments.common import add_collection, add_json
from ..terminal import print_json

EXAMPLE = "twindex verify my-index"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_json(parser)
    parser.add_argument(
        "--accept",
        action="store_true",
        help="go on without acknowledged writes that are missing; they are lost for good",
    )


def run(arguments: argparse.Namespace) -> int:
    from ....index import LocalStore

    problems = LocalStore.verify(arguments.collection, accept=arguments.accept)
    if arguments.json:
        print_json({"sound": not problems, "problems": problems})
    else:
        print("\n".join(problems) or f"{arguments.collection}: sound")
    return 1 if problems else 0
