"""nDCG@10 and R@100 of each leg, for several ways to cut documents into passages.

    python benchmarks/run.py passage_cutting --sets cranfield,scifact:2000

A set is indexed once for each way to cut, with the default legs. Texts that were encoded for one
way are reused for the others. `name:N` selects N documents of a set: the documents that answer its
queries, and others at equal distances. Answers fill at most half of the N; further queries are left
out.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.datasets import DATA
from common.remembering import Remembering

from twindex.core import Document, Query
from twindex.encoders import Encoder, EncoderConfig, load_encoder
from twindex.eval import BeirDataset, leg_table
from twindex.index import CollectionConfig
from twindex.search import Collection, build

SETS = "xquad_de,cranfield,cisi,qmsum_meetings_long:10,scifact:600,musique_100,xquad_en"
MEASURES = ("nDCG@10", "R@100")
HITS = 100
"""That the measures need."""
WAYS: dict[str, dict[str, Any]] = {
    "words 200": {"unit": "words", "size": 200, "overlap": 40, "threshold": 512},
    "tokens, overlap 0": {"unit": "tokens", "overlap": 0},
    "tokens, overlap 32": {"unit": "tokens", "overlap": 32},
    "tokens, overlap 64": {"unit": "tokens", "overlap": 64},
    "128 tokens, overlap 32": {"unit": "tokens", "size": 128, "overlap": 32},
}
SHORT_WAYS = "0,2,4"
"""Of `WAYS`: by words, by tokens as the default does, and by fewer tokens."""


def part_of(
    dataset: BeirDataset, most: int | None
) -> tuple[list[Document], list[Query], Mapping[str, Mapping[str, int]]]:
    """Select at most `most` documents, and the queries that they answer."""
    documents = list(dataset.documents())
    if most is None or most >= len(documents):
        return documents, list(dataset.queries), dataset.qrels
    queries: list[Query] = []
    gold: set[str] = set()
    for query in dataset.queries:
        judged = {name for name, grade in dataset.qrels.get(query.id, {}).items() if grade > 0}
        if judged and len(gold | judged) <= most // 2:
            queries.append(query)
            gold |= judged
    others = [document for document in documents if document.id not in gold]
    step = max(1, len(others) // max(1, most - len(gold)))
    chosen = gold | {document.id for document in others[::step][: most - len(gold)]}
    taken = [document for document in documents if document.id in chosen]
    return taken, queries, {query.id: dataset.qrels[query.id] for query in queries}


def measured(
    name: str, ways: Mapping[str, Mapping[str, Any]], work: Path, precision: str
) -> dict[str, Any]:
    name, _, most = name.partition(":")
    dataset = BeirDataset.open(DATA / name)
    documents, queries, qrels = part_of(dataset, int(most) if most else None)
    encoders: dict[EncoderConfig, Encoder] = {}

    def remembered(config: EncoderConfig) -> Encoder:
        if config not in encoders:
            encoders[config] = Remembering(load_encoder(config))
        return encoders[config]

    found: dict[str, Any] = {"documents": len(documents), "queries": len(queries), "ways": {}}
    print(f"\n{name}: {len(documents):,} documents, {len(queries):,} queries", flush=True)
    for way, passages in ways.items():
        raw = CollectionConfig().model_dump()
        raw["legs"]["dense"]["encoder"]["precision"] = precision
        config = CollectionConfig.parse({**raw, "passages": passages})
        folder = work / name / way.replace(" ", "-").replace(",", "")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        report = build(folder, documents, config, encoders=remembered)
        with Collection.open(folder, encoders=remembered) as collection:
            rows = leg_table(collection, queries, qrels, MEASURES, ["minmax"], limit=HITS)
        values = {row.system.name: dict(row.evaluation.measures) for row in rows}
        found["ways"][way] = {
            "passages": report.passages,
            "truncated": dict(report.truncated),
            "systems": values,
        }
        print(f"  {way:24} {report.passages:6,} passages{line(values)}", flush=True)
        shutil.rmtree(folder)
    return found


def line(systems: Mapping[str, Mapping[str, float]]) -> str:
    """The measures of each system, as one line."""
    return "".join(
        f"  {system} " + " ".join(f"{value:.4f}" for value in measures.values())
        for system, measures in systems.items()
    )


def means(figures: Mapping[str, Any], ways: Sequence[str]) -> dict[str, Any]:
    """The mean over the sets, for each way, system and measure."""
    return {
        way: {
            system: {
                measure: sum(
                    one["ways"][way]["systems"][system][measure] for one in figures.values()
                )
                / len(figures)
                for measure in MEASURES
            }
            for system in next(iter(figures.values()))["ways"][way]["systems"]
        }
        for way in ways
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated; name:N")
    parser.add_argument("--ways", default=SHORT_WAYS, help="numbers of ways to cut")
    parser.add_argument("--precision", default="bfloat16", help="of the dense encoder")
    parser.add_argument("--work", type=Path, default=Path(".cache/passage_cutting"))
    parser.add_argument("--json", type=Path, help="write the figures here, after each set")
    arguments = parser.parse_args()
    names = list(WAYS)
    ways = {names[int(i)]: WAYS[names[int(i)]] for i in arguments.ways.split(",")}
    figures: dict[str, Any] = {}
    for name in arguments.sets.split(","):
        figures[name] = measured(name, ways, arguments.work, arguments.precision)
        if arguments.json:
            everything = {"sets": figures, "means": means(figures, list(ways))}
            arguments.json.write_text(json.dumps(everything, indent=1))
    for way, systems in means(figures, list(ways)).items():
        print(f"mean {way:24}{line(systems)}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
