"""List the snapshots in a folder or an object store, oldest first.

With --verify, every file of each snapshot is read and its checksum compared. The exit status is
then 1 if a snapshot is damaged.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from datetime import UTC, datetime

from ....figures import size
from ...arguments.common import add_output, progress_of
from ...terminal import print_json
from .snapshot import TARGET

EXAMPLE = "twindex snapshots backups --verify"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help=TARGET)
    parser.add_argument("--verify", action="store_true", help="read and check every file")
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....index import check_snapshot, list_snapshots, open_target

    target = open_target(arguments.target)
    found = list_snapshots(target)
    problems: dict[str, list[str]] = {}
    if arguments.verify:
        with closing(progress_of(arguments)) as progress:
            problems = {one.name: check_snapshot(target, one.name, progress) for one in found}
    if arguments.json:
        shown = [{**one.summary(), "problems": problems.get(one.name)} for one in found]
        print_json({"snapshots": shown})
    else:
        for one in found:
            created = datetime.fromtimestamp(one.created, UTC).isoformat(timespec="seconds")
            print(f"{one.name}  {created}  {one.documents:,} documents  {size(one.bytes)}")
            print("".join(f"  {problem}\n" for problem in problems.get(one.name, ())), end="")
        if not found:
            print("no snapshots")
    return 1 if any(problems.values()) else 0
