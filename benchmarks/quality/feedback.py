"""Pseudo-relevance feedback: quality and time of each method, on each leg and fused.

    python benchmarks/run.py feedback --sets scifact,cranfield

Every set is indexed with the default configuration, and every method has its default parameters;
nothing is tuned to a set. Each method is compared with the plain search of the same legs by a
paired randomisation test. The time is the median over the queries, without encoding the query.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from common.datasets import DATA

from twindex.core import BarProgress, ConflictError, Document, NotFoundError
from twindex.eval import BeirDataset, compare, evaluate
from twindex.index import CollectionConfig
from twindex.search import Collection, build

SETS = "scifact,cranfield,cisi,msrd_movies"
MEASURES = ("nDCG@10", "R@100")
HITS = 100
"""That the measures need."""
PLAIN = "plain"
METHODS: Mapping[str, tuple[str, ...]] = {
    "lexical": ("rm3", "rocchio", "bo1", "kl"),
    "sparse": ("rm3", "rocchio"),
    "dense": ("rocchio", "average"),
    "fused": ("rm3", "rocchio", "bo1", "kl", "average"),
}
"""Legs -> methods that are measured on them."""


def opened(folder: Path, documents: Iterable[Document]) -> Collection:
    """The collection of some documents, built at the first run."""
    try:
        return Collection.open(folder)
    except (NotFoundError, ConflictError):
        build(folder, documents, CollectionConfig(), progress=BarProgress())
        return Collection.open(folder)


def measured(
    collection: Collection, dataset: BeirDataset, fields: Mapping[str, Any], most: int
) -> tuple[dict[str, Any], Mapping[str, Mapping[str, float]]]:
    """Figures of one system, and measure -> query -> value. most: number of queries."""
    run, times = {}, []
    queries = list(dataset.queries)[:most]
    for query in queries:
        found = collection.search(query.text, limit=HITS, include=(), **fields)
        run[query.id] = {hit.id: hit.score for hit in found}
        times.append(found.milliseconds - found.timings["encode"])
    known = {query.id for query in queries}
    qrels = {query: grades for query, grades in dataset.qrels.items() if query in known}
    found_values = evaluate(run, qrels, MEASURES)
    return {
        "measures": dict(found_values.measures),
        "milliseconds": statistics.median(times),
    }, found_values.per_query


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated")
    parser.add_argument("--queries", type=int, default=10_000, help="most queries of a set")
    parser.add_argument("--work", type=Path, default=Path(".cache/feedback"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for name in arguments.sets.split(","):
        dataset = BeirDataset.open(arguments.data / name)
        legs: dict[str, Any] = {}
        with opened(arguments.work / name, dataset.documents()) as collection:
            collection.load()
            print(f"\n{name}: {collection.count()} documents", flush=True)
            for leg, methods in METHODS.items():
                chosen = {} if leg == "fused" else {"legs": [leg]}
                own: dict[str, Any] = {}
                plain: Mapping[str, Mapping[str, float]] = {}
                for method in (PLAIN, *methods):
                    feedback = {} if method == PLAIN else {"feedback": method}
                    own[method], values = measured(
                        collection, dataset, {**chosen, **feedback}, arguments.queries
                    )
                    if method == PLAIN:
                        plain = values
                    else:
                        tests = {m: compare(values[m], plain[m]) for m in MEASURES}
                        own[method]["tests"] = {
                            m: {"difference": test.difference, "p": test.p_value}
                            for m, test in tests.items()
                        }
                    print(f"  {leg:8} {method:8} {shown(own[method])}", flush=True)
                legs[leg] = own
            figures[name] = {
                "documents": collection.count(),
                "queries": min(arguments.queries, len(dataset.queries)),
                "legs": legs,
            }
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def shown(system: Mapping[str, Any]) -> str:
    """The figures of one system on one line."""
    words = []
    for measure, value in system["measures"].items():
        test = system.get("tests", {}).get(measure)
        change = "" if test is None else f" ({test['difference']:+.4f}, p {test['p']:.3f})"
        words.append(f"{measure} {value:.4f}{change}")
    return f"{'  '.join(words)}  {system['milliseconds']:.2f} ms"


if __name__ == "__main__":
    main()
