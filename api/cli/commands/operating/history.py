"""Print or revert the versions of a document, or change how long they are kept.

The newest version comes first. With --as-of, `twindex get` and `twindex search` read the state
after an earlier commit.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from .....core import InvalidInputError
from ...arguments.common import add_collection, add_json, add_models, loader_of
from ...terminal import print_json

EXAMPLE = "twindex history my-index 4983"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("id", metavar="ID", nargs="?", help="id of the document")
    parser.add_argument(
        "--revert", type=int, metavar="VERSION", help="store this version again, as the newest"
    )
    parser.add_argument(
        "--days", type=int, metavar="N", help="keep replaced and deleted versions for N days"
    )
    parser.add_argument("--off", action="store_true", help="keep no versions, and forget all")
    add_models(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....search import Collection

    setting = arguments.days is not None or arguments.off
    if setting == (arguments.id is not None) or (arguments.days is not None and arguments.off):
        raise InvalidInputError("give an ID, --days N or --off")
    if arguments.revert is not None and setting:
        raise InvalidInputError("needs an ID", field="--revert")
    read_only = not setting and arguments.revert is None
    with Collection.open(
        arguments.collection, read_only=read_only, encoders=loader_of(arguments)
    ) as collection:
        if setting:
            collection.set_history(arguments.days)
            print("versions are not kept" if arguments.off else f"kept for {arguments.days} days")
            return 0
        if arguments.revert is not None:
            report = collection.revert(arguments.id, arguments.revert)
            print("unchanged" if report.unchanged else f"reverted to version {arguments.revert}")
            return 0
        versions: list[dict[str, Any]] = [asdict(one) for one in collection.history(arguments.id)]
    if arguments.json:
        print_json(versions)
        return 0
    for one in versions:
        begin = one["recorded_at"] or "before the history"
        end = "now" if one["superseded_at"] is None else one["superseded_at"]
        fate = " deleted" if one["deleted"] else ""
        print(f"version {one['version']}  commit {one['recorded']}  {begin} to {end}{fate}")
        print(f"  {one['content_hash']}  {one['source']}".rstrip())
        print(f"  {' '.join(one['document']['text'].split())[:100]}")
    return 0
