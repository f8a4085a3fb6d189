"""Quality of each leg and each fusion method on BEIR-style collections.

    python benchmarks/run.py effectiveness --sets scifact,cranfield

Every set is indexed with the default configuration; nothing is tuned to a set. It is searched with
each leg alone and with all legs fused. If documents have a `year`, the searches are repeated with a
filter, and compared with filtering the unfiltered top 10 afterwards.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from common.datasets import DATA

from twindex.core import BarProgress, ConflictError, NotFoundError
from twindex.eval import BeirDataset, engine_search, evaluate, leg_table, run_queries
from twindex.index import CollectionConfig
from twindex.search import Collection, build

SETS = "scifact,cranfield,cisi,nq_open_oracle,msrd_movies"
MEASURES = ("nDCG@10", "R@100", "RR@10")
HITS = 100
"""That the measures need."""


def opened(folder: Path, dataset: BeirDataset, passages: str) -> Collection:
    """The collection of a set, built at the first run."""
    try:
        return Collection.open(folder)
    except (NotFoundError, ConflictError):
        config = CollectionConfig.parse({"passages": {"unit": passages}})
        build(folder, dataset.documents(), config, progress=BarProgress())
        return Collection.open(folder)


def filtered(collection: Collection, dataset: BeirDataset) -> dict[str, Any] | None:
    """Measures of searches with a filter on `year`: inside the legs, and filtered afterwards."""
    years = {d.id: d.metadata.get("year") for d in dataset.documents()}
    known = [year for year in years.values() if isinstance(year, int)]
    if not known:
        return None
    # The newest quarter: a filter that most documents fail.
    bound = int(statistics.quantiles(known, n=4)[2])
    passes = {name for name, year in years.items() if isinstance(year, int) and year >= bound}
    qrels = {
        query: {name: grade for name, grade in judged.items() if name in passes}
        for query, judged in dataset.qrels.items()
    }
    qrels = {query: judged for query, judged in qrels.items() if any(judged.values())}
    queries = [query for query in dataset.queries if query.id in qrels]
    condition = {"year": {"gte": bound}}
    inside = run_queries(engine_search(collection, filter=condition, limit=100), queries)
    plain = run_queries(engine_search(collection, limit=10), queries)
    after = {
        query: {name: score for name, score in found.items() if name in passes}
        for query, found in plain.items()
    }
    wrong = sum(name not in passes for found in inside.values() for name in found)
    if wrong:
        raise SystemExit(f"{wrong} hits do not meet the filter")
    return {
        "filter": condition,
        "share_of_documents": len(passes) / len(years),
        "queries": len(queries),
        "inside_legs": dict(evaluate(inside, qrels, ["nDCG@10", "R@10"]).measures),
        "after_top_10": dict(evaluate(after, qrels, ["nDCG@10", "R@10"]).measures),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated")
    parser.add_argument("--passages", default="tokens", help="unit by which documents are cut")
    parser.add_argument("--work", type=Path, default=Path(".cache/effectiveness"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for name in arguments.sets.split(","):
        dataset = BeirDataset.open(arguments.data / name)
        with opened(
            arguments.work / arguments.passages / name, dataset, arguments.passages
        ) as collection:
            rows = leg_table(collection, dataset.queries, dataset.qrels, MEASURES, limit=HITS)
            print(f"\n{name}: {collection.count()} documents, {len(dataset.queries)} queries")
            print(f"  {'':10}" + "".join(f"{measure:>10}" for measure in MEASURES))
            for row in rows:
                values = [row.evaluation.measures[measure] for measure in MEASURES]
                print(f"  {row.system.name:10}" + "".join(f"{value:10.4f}" for value in values))
            figures[name] = {
                "documents": collection.count(),
                "queries": len(dataset.queries),
                "systems": {row.system.name: dict(row.evaluation.measures) for row in rows},
            }
            under = filtered(collection, dataset)
            if under:
                figures[name]["filtered"] = under
                print(f"  with {under['filter']} ({under['share_of_documents']:.0%} of documents):")
                print(f"    inside the legs {under['inside_legs']}")
                print(f"    after the top 10 {under['after_top_10']}")
        sys.stdout.flush()
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
