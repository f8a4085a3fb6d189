"""Index and search Python's own documentation.

The documents are about three thousand docstrings of the standard library, so no data and no
network are required. The collection is built on the first run only.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ....core import ConflictError, NotFoundError
from ....index import CollectionConfig
from ....sources import read_stdlib_docstrings
from ...figures import counted
from ..arguments.common import (
    add_collection,
    add_models,
    add_quiet,
    loader_of,
    progress_of,
    share_cores,
)
from ..arguments.configuration import add_legs, choose_leg
from ..terminal import note, print_result
from .build import INTERRUPTED

if TYPE_CHECKING:
    from ....search import Collection

EXAMPLE = "twindex demo demo/stdlib"
HITS = 3

QUERIES = (
    ("make a temporary directory that cleans up after itself", "meaning decides"),
    ("HTTPStatus 404 Not Found", "exact words decide"),
    ("wait until several threads have all arrived", "no leg alone ranks the barrier first"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_legs(parser)
    add_models(parser)
    add_quiet(parser)


def run(arguments: argparse.Namespace) -> int:
    share_cores()
    value = CollectionConfig().model_dump(mode="json")
    for leg in ("dense", "sparse"):
        choose_leg(value["legs"], leg, getattr(arguments, leg))
    with _open(arguments, CollectionConfig.parse(value)) as collection:
        for query, why in QUERIES:
            print(f"\n» {query}   ({why})")
            print_result(collection.search(query, limit=HITS))
    root: Path = arguments.collection.parent
    print(f"\nTo go on: twindex serve {root}, then open http://127.0.0.1:8080/")
    print(f'or:       twindex search {arguments.collection} "your question" --explain')
    return 0


def _open(arguments: argparse.Namespace, config: CollectionConfig) -> Collection:
    """Open the collection of the demonstration. Build it first if it is missing or incomplete."""
    from ....search import Collection, build
    from ....search.config_difference import config_difference

    path: Path = arguments.collection
    encoders = loader_of(arguments)
    try:
        collection = Collection.open(path, read_only=True, encoders=encoders)
    except (NotFoundError, ConflictError):  # Missing, or its build was interrupted.
        documents = list(read_stdlib_docstrings())
        progress = progress_of(arguments)
        total = len(documents)
        try:
            report = build(
                path, documents, config, total=total, progress=progress, encoders=encoders
            )
        except KeyboardInterrupt:
            note(INTERRUPTED)
            raise
        print(f"{counted(report.documents, 'document')} indexed in {report.seconds:.1f} s")
        return Collection.open(path, read_only=True, encoders=encoders)
    if config_difference(collection.store, config) is not None:
        collection.close()
        raise ConflictError(f"{path} contains another collection; choose another folder")
    print(f"{path} holds {counted(collection.count(), 'document')} already")
    return collection
