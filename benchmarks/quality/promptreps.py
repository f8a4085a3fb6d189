"""Quality of PromptReps, alone and added to BM25 and MiniLM.

    python benchmarks/run.py promptreps --sets cranfield --variants single,first_word
    python benchmarks/run.py promptreps --documents 1000

Every set is indexed with the model's dense and sparse leg, MiniLM and BM25. Documents stay whole,
as in the paper. `--documents N` keeps a fixed random sample of N documents, and the queries that
they answer, so that a slow model can be measured too. Figures of a sample can only be compared with
each other. The variant `small` is `single` with the options `SMALL`. Differences have the p-value
of a paired randomisation test over the queries.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from common import datasets

from twindex.core import BarProgress, ConflictError, Document, NotFoundError, Progress
from twindex.encoders.promptreps.config import Variant
from twindex.eval import BeirDataset, Evaluation, compare, engine_search, evaluate, run_queries
from twindex.index import CollectionConfig
from twindex.search import Collection, build

SETS = "scifact,nq_open_oracle,cranfield"
MEASURES = ("nDCG@10", "R@100")
HITS = 100
"""That the measures need."""
LEGS: dict[str, Mapping[str, float]] = {
    "PromptReps dense": {"llm_dense": 1},
    "PromptReps sparse": {"llm_sparse": 1},
    "PromptReps hybrid": {"llm_dense": 1, "llm_sparse": 1},
    "BM25": {"bm25": 1},
    "MiniLM": {"minilm": 1},
    "BM25 + PromptReps sparse": {"bm25": 1, "llm_sparse": 1},
    "BM25 + 0.3 PromptReps sparse": {"bm25": 1, "llm_sparse": 0.3},
    "MiniLM + PromptReps hybrid": {"minilm": 1, "llm_dense": 1, "llm_sparse": 1},
    "MiniLM + 0.3 PromptReps hybrid": {"minilm": 1, "llm_dense": 0.3, "llm_sparse": 0.3},
    "BM25 + MiniLM": {"bm25": 1, "minilm": 1},
    "BM25 + MiniLM + 0.3 PromptReps hybrid": {
        "bm25": 1, "minilm": 1, "llm_dense": 0.3, "llm_sparse": 0.3,
    },
}  # fmt: skip
"""Systems: legs with their weights in the fusion."""
PAIRS = [
    ("BM25 + PromptReps sparse", "BM25"),
    ("BM25 + 0.3 PromptReps sparse", "BM25"),
    ("MiniLM + PromptReps hybrid", "MiniLM"),
    ("MiniLM + 0.3 PromptReps hybrid", "MiniLM"),
    ("BM25 + MiniLM + 0.3 PromptReps hybrid", "BM25 + MiniLM"),
]
SMALL = {"template": "plain", "layer": -2, "center": True}
"""What suits a small model, found on SciFact's training queries and Cranfield."""


def sample(dataset: BeirDataset, most: int | None) -> tuple[list[Document], BeirDataset]:
    """A whole set; or `most` documents, and the queries whose relevant documents are among them.

    Queries are added in a fixed random order, while their relevant documents fill at most half of
    the sample. Random other documents fill the rest.
    """
    documents = list(dataset.documents())
    if most is None or len(documents) <= most:
        return documents, dataset
    order = random.Random(0)
    queries = order.sample(dataset.queries, len(dataset.queries))
    needed: set[str] = set()
    chosen = []
    for query in queries:
        relevant = {name for name, grade in dataset.qrels[query.id].items() if grade > 0}
        if len(needed | relevant) <= most // 2:
            needed |= relevant
            chosen.append(query)
    others = [document for document in documents if document.id not in needed]
    kept = needed | {document.id for document in order.sample(others, most - len(needed))}
    qrels = {query.id: dataset.qrels[query.id] for query in chosen}
    part = replace(dataset, queries=chosen, qrels=qrels)
    return [document for document in documents if document.id in kept], part


def configuration(encoder: Mapping[str, Any], *, peers: bool) -> CollectionConfig:
    """The two legs of the model, which share one pass, and the legs to compare them with."""
    legs: dict[str, Any] = {
        "llm_dense": {"kind": "dense", "encoder": encoder},
        "llm_sparse": {"kind": "sparse", "encoder": encoder},
    }
    if peers:
        legs |= {"minilm": {"kind": "dense"}, "bm25": {"kind": "lexical"}}
    return CollectionConfig.parse({"legs": legs, "passages": {"unit": "none"}})


def opened(
    folder: Path, documents: Sequence[Document], config: CollectionConfig, progress: Progress
) -> Collection:
    """The collection of a set. It is built at the first run; an interrupted build continues."""
    try:
        return Collection.open(folder)
    except (NotFoundError, ConflictError):
        report = build(folder, documents, config, total=len(documents), progress=progress)
        print(f"  {folder.name}: {report.seconds:.0f} s, {report.usage}", file=sys.stderr)
        return Collection.open(folder)


def measured(collection: Collection, dataset: BeirDataset) -> dict[str, Evaluation]:
    """Measures of every system in `LEGS` whose legs the collection has."""
    found = {}
    for name, legs in LEGS.items():
        if set(legs) <= set(collection.config.legs):
            weighted = [{"name": leg, "weight": weight} for leg, weight in legs.items()]
            search = engine_search(collection, legs=weighted, limit=HITS)
            run = run_queries(search, dataset.queries)
            found[name] = evaluate(run, dataset.qrels, MEASURES)
    return found


def show(title: str, found: Mapping[str, Evaluation]) -> None:
    print(f"\n{title}\n  {'':40}" + "".join(f"{measure:>10}" for measure in MEASURES))
    for name, evaluation in found.items():
        print(f"  {name:40}" + "".join(f"{evaluation.measures[m]:10.4f}" for m in MEASURES))


def differences(found: Mapping[str, Evaluation]) -> dict[str, Any]:
    """Differences in nDCG@10 between systems with the model and systems without it."""
    rows = {}
    for better, base in PAIRS:
        if better in found:
            one, other = (found[name].per_query["nDCG@10"] for name in (better, base))
            result = compare(one, other)
            rows[f"{better} - {base}"] = {
                "difference": result.difference,
                "p_value": result.p_value,
                "wins": result.wins,
                "losses": result.losses,
            }
            print(
                f"  {better} against {base}: {result.difference:+.4f} (p = {result.p_value:.4f}; "
                f"{result.wins} queries better, {result.losses} worse)"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=datasets.DATA)
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated")
    parser.add_argument(
        "--variants",
        default="single,small",
        help=f"of {', '.join(get_args(Variant))} and small; default: %(default)s",
    )
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--style", choices=("chat", "literal"), default="chat")
    parser.add_argument("--template", default="auto")
    parser.add_argument("--layer", type=int, default=-1)
    parser.add_argument("--center", action="store_true")
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16", "int8"))
    parser.add_argument("--documents", type=int, default=500, help="of each set at most; 0: all")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    told = ("model", "precision", "style", "template", "layer", "center")
    figures: dict[str, Any] = {name: getattr(arguments, name) for name in told}
    figures |= {"small": SMALL, "sets": {}}
    progress = BarProgress()
    for name in arguments.sets.split(","):
        dataset = BeirDataset.open(arguments.data / name)
        documents, dataset = sample(dataset, arguments.documents or None)
        for variant in arguments.variants.split(","):
            encoder = {
                "kind": "promptreps",
                "model": arguments.model,
                "variant": "single" if variant == "small" else variant,
                "style": arguments.style,
                "template": arguments.template,
                "layer": arguments.layer,
                "center": arguments.center,
                "precision": arguments.precision,
                **(SMALL if variant == "small" else {}),
            }
            words = [str(value).lower() for key, value in encoder.items() if key != "model"]
            model = Path(arguments.model).name
            folder = datasets.CACHE / "promptreps" / "-".join(
                [name, str(len(documents)), model, *words[1:]]
            )  # fmt: skip
            config = configuration(encoder, peers=encoder["variant"] == "single")
            with opened(folder, documents, config, progress) as collection:
                found = measured(collection, dataset)
            title = f"{name}, {len(documents)} documents, {len(dataset.queries)} queries, {variant}"
            show(title, found)
            counts = {"documents": len(documents), "queries": len(dataset.queries)}
            figures["sets"].setdefault(name, counts)[variant] = {
                "measures": {system: dict(e.measures) for system, e in found.items()},
                "differences": differences(found),
            }
            sys.stdout.flush()
            if arguments.json:
                arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
