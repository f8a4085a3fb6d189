"""Merge all segments into one.

Deleted and replaced documents are removed for good, and their disk space is released.
"""

from __future__ import annotations

import argparse
from contextlib import closing

from ....figures import size
from ...arguments.common import add_collection, add_output, progress_of
from ...terminal import print_json

EXAMPLE = "twindex merge my-index"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....search import Collection

    with Collection.open(arguments.collection) as collection:
        before = sum(collection.info()["bytes"].values())
        with closing(progress_of(arguments)) as progress:
            merged = collection.merge(progress=progress)
        after = sum(collection.info()["bytes"].values())
    if arguments.json:
        print_json({"merged": merged, "bytes_before": before, "bytes_after": after})
    elif merged:
        print(f"merged: {size(before)} before, {size(after)} now")
    else:
        print("nothing to merge")
    return 0
