"""Check every file of a collection.

The exit status is 1 when something is wrong; the report names the file.
"""

from __future__ import annotations

import argparse

from ..terminal import print_json
from .arguments import add_collection, add_json

EXAMPLE = "twindex verify my-index"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ...index import Collection

    problems = Collection.verify(arguments.collection)
    if arguments.json:
        print_json({"sound": not problems, "problems": problems})
    else:
        print("\n".join(problems) or f"{arguments.collection}: sound")
    return 1 if problems else 0
