"""BM25 with the language of each document detected, against one language for all documents.

    python benchmarks/run.py languages

Searches the German and the English XQuAD, and a collection that has the documents and the queries
of both. The mixed collection is also searched with the two longest words of each query, whose
language is harder to detect. Only lexical legs run. Differences are tested by paired randomisation.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.datasets import DATA

from twindex.core import Document, Query
from twindex.encoders import AnalyzerConfig
from twindex.eval import BeirDataset, compare, engine_search, evaluate, run_queries
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection, build

SETS = ("xquad_de", "xquad_en")
MIXED = "mixed"
SHORT = "mixed, two words"
SYSTEMS = ("en", "de", "auto", "de,en")
MEASURES = ("nDCG@10", "R@100")
HITS = 100
"""That the measures need."""

Judged = tuple[list[Document], list[Query], dict[str, dict[str, int]]]
"""Documents, queries and judgements."""


def collections(data: Path) -> Iterator[tuple[str, Judged]]:
    """Name -> documents, queries and judgements of each set and of their mixture."""
    mixed: Judged = ([], [], {})
    for name in SETS:
        dataset = BeirDataset.open(data / name)
        documents = list(dataset.documents())
        qrels = {query: dict(grades) for query, grades in dataset.qrels.items()}
        yield name, (documents, list(dataset.queries), qrels)
        mixed[0].extend(replace(one, id=f"{name}-{one.id}") for one in documents)
        mixed[1].extend(replace(one, id=f"{name}-{one.id}") for one in dataset.queries)
        for query, grades in qrels.items():
            mixed[2][f"{name}-{query}"] = {f"{name}-{one}": grades[one] for one in grades}
    yield MIXED, mixed
    yield SHORT, (mixed[0], [replace(one, text=longest(one.text)) for one in mixed[1]], mixed[2])


def longest(text: str, words: int = 2) -> str:
    """The longest words of a text, in their order."""
    found = [word.strip("?!.,:;\"'()") for word in text.split()]
    kept = sorted(range(len(found)), key=lambda i: (-len(found[i]), i))[:words]
    return " ".join(found[i] for i in sorted(kept))


def measured(
    language: str, judged: Judged, folder: Path
) -> tuple[dict[str, Any], Mapping[str, float]]:
    """Figures of one system, and its first measure by query."""
    documents, queries, qrels = judged
    leg = LexicalLeg(encoder=AnalyzerConfig(language=language))
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    build(folder, documents, CollectionConfig(legs={"lexical": leg}))
    with Collection.open(folder) as collection:
        found = evaluate(
            run_queries(engine_search(collection, limit=HITS), queries), qrels, MEASURES
        )
        figures: dict[str, Any] = {"measures": dict(found.measures)}
        leg_info = collection.info()["legs"]["lexical"]
        if "languages" in leg_info:
            figures["languages"] = dict(leg_info["languages"])
            figures["single"] = single(collection, queries)
    shutil.rmtree(folder)
    return figures, found.per_query[MEASURES[0]]


def single(collection: Collection, queries: Sequence[Query]) -> float:
    """Share of the queries that are analysed in one language."""
    found = [
        collection.search(query.text, limit=1, explain=True).query_languages for query in queries
    ]
    return sum(len(one["lexical"]) == 1 for one in found if one is not None) / len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--work", type=Path, default=Path(".cache/languages"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for name, judged in collections(arguments.data):
        print(f"\n{name}: {len(judged[0])} documents, {len(judged[1])} queries", flush=True)
        values = {}
        systems = {}
        for language in SYSTEMS:
            systems[language], values[language] = measured(
                language, judged, arguments.work / name.replace(", ", "-").replace(" ", "-")
            )
            shown = " ".join(f"{value:.4f}" for value in systems[language]["measures"].values())
            print(f"  {language:6} {shown}", flush=True)
        tests = {}
        for other in ("en", "de"):
            test = compare(values["auto"], values[other])
            tests[other] = {"difference": test.difference, "p": test.p_value}
            print(f"  auto - {other}: {test.difference:+.4f}, p = {test.p_value:.4f}", flush=True)
        figures[name] = {
            "documents": len(judged[0]),
            "queries": len(judged[1]),
            "systems": systems,
            "tests": tests,
        }
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
