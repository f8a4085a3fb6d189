"""Erase documents with all their versions, and print a proof.

All segments with deleted documents and the database are written again. Then every file of the
collection is searched for pieces of the documents. The exit status is 1 if one is found.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ....figures import counted, size
from ...arguments.common import add_collection, add_filter, add_json
from ...terminal import note, print_json

EXAMPLE = "twindex purge my-index --id 4983 --snapshots backups"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", nargs="+", metavar="ID", help="ids of the documents to erase")
    add_filter(which)
    parser.add_argument(
        "--snapshots",
        nargs="+",
        default=[],
        metavar="TARGET",
        help="folders or URLs of snapshots, which are searched for the documents but not changed",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....search import Collection

    with Collection.open(arguments.collection) as collection:
        proof = collection.purge(
            arguments.id, filter=arguments.filter, snapshots=arguments.snapshots
        )
    if arguments.json:
        print_json(asdict(proof))
    else:
        print(
            f"{counted(proof.documents, 'document')} erased with "
            f"{counted(proof.versions, 'version')}, generation {proof.before} to {proof.after}"
        )
        print(
            f"{counted(len(proof.rewritten), 'segment')} and the database written again; "
            f"{counted(proof.pieces, 'piece')} searched for in {counted(proof.files, 'file')} "
            f"({size(proof.bytes)})"
        )
        for name in proof.not_found:
            note(f"not found: {name}")
        for file, count in proof.found.items():
            note(f"found: {counted(count, 'piece')} in {file}")
        for name in proof.snapshots:
            note(f"snapshot {name} still holds a document; remove it to erase the document there")
    return 1 if proof.found else 0
