"""What a history adds to writes and searches.

    python benchmarks/run.py history

The documents are pieces of the RFCs of equal length. Two collections, one of which keeps a history,
get the same writes in turns: all documents in batches of 500, then replacements of documents drawn
with a seed, in batches of 100. The time of a batch is the wall-clock time of `Collection.add` and
of the seals and merges that it makes due. Then the same queries are searched in both in turns:
three to eight neighbouring words of a document, in a lexical leg. The time of a search is CPU time
in one thread. A factor is the time with a history divided by the time without. With a history, the
same queries are also searched as of the commit before the replacements.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from common.datasets import DATA
from speed.lexical import draw_queries, rfc_passages

from twindex.core import Document
from twindex.index import CollectionConfig, HistoryConfig, LexicalLeg, maintain
from twindex.search import Collection

BATCH, REPLACED = 500, 100


def batches(texts: Sequence[str], replacements: int) -> Iterator[tuple[str, list[Document]]]:
    """Yield ("insert" or "replace", documents) for each batch of writes."""
    for start in range(0, len(texts), BATCH):
        yield (
            "insert",
            [
                Document(f"d{n}", texts[n], metadata={"n": n, "round": 0})
                for n in range(start, min(start + BATCH, len(texts)))
            ],
        )
    chance = random.Random(3)
    for round_ in range(1, replacements // REPLACED + 1):
        drawn = chance.sample(range(len(texts)), REPLACED)
        yield (
            "replace",
            [Document(f"d{n}", texts[-1 - n], metadata={"n": n, "round": round_}) for n in drawn],
        )


def wrote(collection: Collection, documents: Sequence[Document]) -> float:
    """Return the seconds of a write with the maintenance after it."""
    began = perf_counter()
    collection.add(documents)
    maintain(collection.store)  # type: ignore[arg-type]
    return perf_counter() - began


def searched(
    cases: dict[str, tuple[Collection, dict[str, Any]]], queries: Sequence[str], rounds: int
) -> dict[str, float]:
    """Return case -> median of the CPU milliseconds of a search; the fastest round counts."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for query in queries:
        own: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(rounds):
            for name, (collection, fields) in cases.items():
                began = process_time()
                collection.search(query, **fields)
                own[name].append((process_time() - began) * 1e3)
        for name, found in own.items():
            times[name].append(min(found))
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--replacements", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5, help="of which the fastest counts")
    parser.add_argument("--work", type=Path, default=Path(".cache/history"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    shutil.rmtree(arguments.work, ignore_errors=True)
    arguments.work.mkdir(parents=True)
    texts = list(rfc_passages(arguments.data / "rfc" / "corpus.jsonl.gz", arguments.documents))
    both = {
        name: Collection.create(
            arguments.work / name, CollectionConfig(legs={"lexical": LexicalLeg()}, history=kept)
        )
        for name, kept in (("without", None), ("with", HistoryConfig()))
    }
    seconds = {(kind, name): 0.0 for kind in ("insert", "replace") for name in both}
    commit = 0
    for turn, (kind, documents) in enumerate(batches(texts, arguments.replacements)):
        if kind == "insert":
            commit = int(both["with"].info()["generation"])
        for name in sorted(both, reverse=bool(turn % 2)):
            seconds[kind, name] += wrote(both[name], documents)
    queries = draw_queries(texts[:1_000], arguments.queries, seed=2)
    cases: dict[str, tuple[Collection, dict[str, Any]]] = {
        "without": (both["without"], {}),
        "with": (both["with"], {}),
        "as of": (both["with"], {"as_of": commit}),
    }
    before = searched(cases, queries, arguments.rounds)
    for collection in both.values():
        collection.merge()
    after = searched(cases, queries, arguments.rounds)
    figures = {
        "documents": len(texts),
        "replacements": arguments.replacements,
        "queries": len(queries),
        "seconds": {f"{kind} {name}": found for (kind, name), found in seconds.items()},
        "factors": {
            kind: seconds[kind, "with"] / seconds[kind, "without"] for kind in ("insert", "replace")
        },
        "searches": {"after the writes": before, "after a merge": after},
        "bytes": {name: sum(one.info()["bytes"].values()) for name, one in both.items()},
    }
    print(json.dumps(figures, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
