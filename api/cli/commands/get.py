"""Print one stored document."""

from __future__ import annotations

import argparse

from ..arguments.common import add_as_of, add_collection
from ..terminal import print_json

EXAMPLE = "twindex get my-index 4983"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("id", metavar="ID", help="id of the document, which is printed as JSON")
    add_as_of(parser)
    parser.add_argument(
        "--tag", action="store_true", help="print only the tag of the document, for --if-match"
    )


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    with Collection.open(arguments.collection, read_only=True) as collection:
        document = collection.get(arguments.id, as_of=arguments.as_of)
    if arguments.tag:
        print(document.tag)
        return 0
    print_json(
        {
            "id": document.id,
            "text": document.text,
            "title": document.title,
            "metadata": document.metadata,
        }
    )
    return 0
