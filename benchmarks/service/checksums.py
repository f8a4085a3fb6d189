"""The time that checksums take: of rows in writes and searches, of files when opening.

    python benchmarks/run.py checksums

A write is one PUT of a document. A search returns ten documents with their texts. Rounds with row
checksums alternate with rounds in which functions that compute nothing replace them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from common.datasets import DATA
from common.timing import table

from twindex.core import Document
from twindex.eval import BeirDataset
from twindex.index import CollectionConfig
from twindex.index.store import delta
from twindex.index.store.database import integrity, meta, tables
from twindex.search import Collection

CONFIG = CollectionConfig.parse(
    {
        # Nothing runs in the background, where checksums are always compared.
        "storage": {"seal_passages": 1_000_000},
        "legs": {
            "dense": {"kind": "dense", "encoder": {"model": "fake"}},
            "lexical": {"kind": "lexical"},
        },
    }
)
UNCHECKED = 0
"""The checksum of every row inside `unchecked`."""
CHECKS = ("row_check", "content_check", "document_check", "delta_check")


@contextlib.contextmanager
def unchecked() -> Iterator[None]:
    """A context in which no row checksum is computed."""
    with contextlib.ExitStack() as stack:
        for module in (delta, meta, integrity, tables):
            for name in CHECKS:
                if hasattr(module, name):
                    stack.enter_context(patch.object(module, name, lambda *_: UNCHECKED))
            stack.enter_context(patch.object(module, "differs", lambda *_: False))
        yield


def cpu(work: Callable[[], None]) -> float:
    began = process_time()
    work()
    return process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    dataset = BeirDataset.open(DATA / "scifact")
    documents = list(dataset.documents())
    queries = cycle(query.text for query in dataset.queries)
    ways: dict[str, Callable[[], Any]] = {"checked": contextlib.nullcontext, "unchecked": unchecked}
    spent: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "checked"
        # A collection for each way: rows without checksums are damaged for those who check.
        collections = {}
        for way, inside in ways.items():
            with inside():
                collections[way] = Collection.create(Path(place) / way, CONFIG)
                collections[way].add(documents)
                collections[way].seal()
        numbers = {way: count() for way in ways}

        def write(way: str) -> None:
            for number in islice(numbers[way], 20):
                text = documents[number % len(documents)].text
                collections[way].add([Document(f"new {number}", text)])

        def search(way: str) -> None:
            for _ in range(20):
                collections[way].search(next(queries), limit=10)

        for name, work in (("write", write), ("search", search)):
            spent[name] = {way: [] for way in ways}
            for turn in range(arguments.rounds + 1):
                for way, inside in ways.items():
                    with inside():
                        taken = cpu(partial(work, way)) / 20
                        if turn:  # The first warms up.
                            spent[name][way].append(taken)
        collections["checked"].seal()
        collections["checked"].merge()
        for way, inside in ways.items():
            with inside():
                collections[way].close()
        opened: dict[str, list[float]] = {"full": [], "size": []}
        for _ in range(arguments.rounds):
            for verify in ("full", "size"):
                began = perf_counter()
                Collection.open(folder, read_only=True, verify=verify).close()
                opened[verify].append(perf_counter() - began)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    figures: dict[str, Any] = {
        name: {
            "ms, checked": median(values["checked"]) * 1e3,
            "ms, unchecked": median(values["unchecked"]) * 1e3,
            "ratio": median(
                a / b for a, b in zip(values["checked"], values["unchecked"], strict=True)
            ),
        }
        for name, values in spent.items()
    }
    figures["open"] = {
        "ms, checked": median(opened["full"]) * 1e3,
        "ms, unchecked": median(opened["size"]) * 1e3,
        "ratio": median(a / b for a, b in zip(opened["full"], opened["size"], strict=True)),
    }
    print(table([{"": name, **values} for name, values in figures.items()]))
    print(f"open: every file's checksum against sizes only, {size / 1e6:.0f} MB (wall clock)")
    if arguments.json:
        arguments.json.write_text(json.dumps({**figures, "bytes": size}, indent=1))


if __name__ == "__main__":
    main()
