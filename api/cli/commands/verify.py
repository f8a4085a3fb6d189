"""Check every file of a collection and every row of its database, or a chained audit log.

For the file of an audit log (--audit-log and --audit-chain of `twindex serve`), the report names
the first line that was changed, removed or inserted.

The exit status is 1 if something is damaged; the report names the file and the document. Nothing is
changed, and the folder may be read-only. If acknowledged writes are missing, for example after
damage to the write-ahead log, the collection does not open. Restore it from a backup, or accept
the loss with --accept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..arguments.common import add_json, parse_folder
from ..terminal import print_json

EXAMPLE = "twindex verify my-index"
REMEDY = (
    "Restore the collection from a backup, or build it again. A single damaged document can "
    "also be written again or deleted."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "collection",
        metavar="PATH",
        type=_folder_or_log,
        help="folder of the collection, or file of the audit log",
    )
    add_json(parser)
    parser.add_argument(
        "--accept",
        action="store_true",
        help="accept that missing acknowledged writes are lost; the collection then opens again",
    )


def _folder_or_log(text: str) -> Path:
    path = Path(text)
    return path if _is_log(path) else parse_folder(text)


def _is_log(path: Path) -> bool:
    """Return True for a file. A path that cannot be read may be a collection."""
    try:
        return path.is_file()
    except OSError:
        return False


def run(arguments: argparse.Namespace) -> int:
    if _is_log(arguments.collection):
        return _verify_log(arguments)

    from ....index import LocalStore

    problems = LocalStore.verify(arguments.collection, accept=arguments.accept)
    if arguments.json:
        print_json({"sound": not problems, "problems": problems})
    else:
        print("\n".join(problems) or f"{arguments.collection}: sound")
        if problems:
            print(REMEDY, file=sys.stderr)
    return 1 if problems else 0


def _verify_log(arguments: argparse.Namespace) -> int:
    from ....core import InvalidInputError
    from ...serving.access.audit import problems

    if arguments.accept:
        raise InvalidInputError("is only for collections; remove it", field="--accept")
    found = problems(arguments.collection)
    if arguments.json:
        print_json({"sound": not found, "problems": found})
    else:
        print("\n".join(found) or f"{arguments.collection}: sound")
    return 1 if found else 0
