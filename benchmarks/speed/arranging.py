"""What facets, sorting, groups, boosts and highlights add to a search of a large collection.

    python benchmarks/run.py arranging

The documents are pieces of the RFCs of equal length, with random metadata: 75 years, names with a
skewed distribution, three tags, prices of which nearly all differ, a boolean and dates. A query is
three to eight neighbouring words of a piece, drawn with a seed. A lexical leg searches; it ranks
1,000 documents, and all of these are counted, ordered or grouped. Each query runs in all cases, one
after the other. The time is CPU time of one search through `Collection.search`, in one thread. A
factor is the median over the queries of the time in a case divided by the time of the plain search
of the same query.

The first search with a field reads it from the database. Its time is in `first`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from common.datasets import DATA
from speed.lexical import draw_queries, rfc_passages

from twindex.core import Document
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection, build

FIELDS = ("year", "author", "tags", "price", "stock")
CASES: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "facets of five fields": {"facets": list(FIELDS)},
    "sort by a number": {"sort": ["price"]},
    "sort by a field with many ties": {"sort": ["stock"]},
    "sort by dates": {"sort": [{"field": "date", "order": "desc", "date": True}]},
    "group, best hit of each value": {"group": {"field": "author", "size": 1}},
    "boost by a number": {"boosts": [{"kind": "number", "field": "price", "pivot": 100}]},
    "boost by freshness": {
        "boosts": [{"kind": "decay", "field": "date", "origin": "now", "scale": "365d"}]
    },
    "highlights": {"highlight": True},
    "boost by a filter": {"boosts": [{"kind": "filter", "filter": {"year": {"gte": 2000}}}]},
}
"""Case -> fields of its request."""


def documents(count: int, data: Path) -> Iterator[Document]:
    chance = random.Random(1)
    for number, text in enumerate(rfc_passages(data / "rfc" / "corpus.jsonl.gz", count)):
        metadata = {
            "year": 1950 + chance.randrange(75),
            "author": f"author {int(chance.paretovariate(1)) % 3000}",
            "tags": [f"tag {int(chance.expovariate(0.05))}" for _ in range(3)],
            "price": round(chance.random() * 1000, 2),
            "stock": chance.random() < 0.5,
            "date": f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02d}-01",
        }
        yield Document(f"{chance.getrandbits(32):08x}-{number}", text, metadata=metadata)


def opened(folder: Path, count: int, data: Path) -> Collection:
    """Return the collection, which is built if it is not there."""
    if not folder.exists():
        config = CollectionConfig(legs={"lexical": LexicalLeg()})
        build(folder, documents(count, data), config)
    return Collection.open(folder, read_only=True)


def measured(collection: Collection, queries: Sequence[str], rounds: int) -> dict[str, Any]:
    """Return case -> CPU milliseconds of a search, its factor, and milliseconds of the first."""
    first: dict[str, float] = {}
    for name, fields in CASES.items():
        began = perf_counter()
        collection.search(queries[0], **fields)
        first[name] = (perf_counter() - began) * 1e3
    times: dict[str, list[list[float]]] = {name: [] for name in CASES}
    for query in queries:
        own: dict[str, list[float]] = {name: [] for name in CASES}
        for _ in range(rounds):
            for name, fields in CASES.items():
                began = process_time()
                collection.search(query, **fields)
                own[name].append((process_time() - began) * 1e3)
        for name, found in own.items():
            times[name].append(found)
    plain = [min(found) for found in times["plain"]]
    return {
        name: {
            "ms": statistics.median(map(min, found)),
            "factor": statistics.median(
                min(one) / base for one, base in zip(found, plain, strict=True)
            ),
            "first": first[name],
        }
        for name, found in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--documents", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5, help="of which the fastest counts")
    parser.add_argument("--work", type=Path, default=Path(".cache/arranging"))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    folder = arguments.work / str(arguments.documents)
    with opened(folder, arguments.documents, arguments.data) as collection:
        count = collection.count()
        texts = [one.text for one in collection.documents(limit=1_000)]
        queries = draw_queries(texts, arguments.queries, seed=2)
        cases = measured(collection, queries, arguments.rounds)
    for name, one in cases.items():
        print(f"{name:34} {one['ms']:6.2f} ms  {one['factor']:5.2f}  first {one['first']:7.1f} ms")
    figures = {"documents": count, "queries": len(queries), "cases": cases}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
