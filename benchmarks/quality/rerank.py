"""Quality and cost of rerankers on the same lists.

    python benchmarks/run.py rerank --sets scifact,cranfield
    python benchmarks/run.py rerank leg:late cross-encoder:./my-model --queries 50

BM25 finds 100 documents, and each reranker orders them, or the first N with @N in its spec.
Rerankers that call a language model get a smaller sample of queries and candidates, as the table
shows. A reranker does not read again what it remembers of earlier queries; the table counts such
judgements. Queries run one after another. The milliseconds are the time that reranking adds to a
search, including reads from the collection.

A row compares a reranker with the first stage on the same queries: the difference in nDCG@10, and
the probability of so large a difference by chance (Fisher's randomisation test). Each row is
printed and written when it is ready.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from common.datasets import CACHE, DATA

from twindex.core import BarProgress, ConflictError, NotFoundError, TwindexError
from twindex.eval import BeirDataset, RerankRow, evaluate, rerank_table
from twindex.eval.experiment import engine_search, run_queries
from twindex.index import CollectionConfig
from twindex.rerank import (
    ChainConfig,
    DiversityConfig,
    LegScoreConfig,
    PromptingConfig,
    RerankerConfig,
    load_reranker,
)
from twindex.rerank.spec import parse_spec, usages
from twindex.search import Collection, RerankerRegistry, RerankRequest, build

MEASURE = "nDCG@10"
STORED = ("leg:tilde", "leg:late")
READING = ("tilde", "late")
QUICK = ("tilde",)
"""Of `READING`, what is measured when none is named; `late` takes seconds for a query."""
LANGUAGE = (
    "pointwise", "pairwise-sorting", "pairwise-sliding", "pairwise-allpair", "listwise", "criteria",
)  # fmt: skip
LEGS: dict[str, Any] = {
    "lexical": {"kind": "lexical"},
    "dense": {"kind": "dense"},
    "sparse": {"kind": "sparse"},
    "late": {"kind": "dense", "role": "rerank", "encoder": {"kind": "late"}},
    "tilde": {"kind": "sparse", "role": "rerank", "encoder": {"kind": "tilde"}},
}
FIRST = {"bm25": ("lexical",), "hybrid": ("dense", "sparse", "lexical")}


def opened(
    cache: Path, dataset: BeirDataset, name: str, legs: set[str], passages: str
) -> Collection:
    """A collection with at least these legs, built at the first run."""
    chosen = [leg for leg in LEGS if leg in legs]
    folder = cache / "-".join([name, *chosen])
    for built in sorted(cache.glob(f"{name}-*"), key=lambda path: len(path.name)):
        if legs <= set(built.name.split("-")[1:]):
            folder, chosen = built, built.name.split("-")[1:]
            break
    try:
        return Collection.open(folder, verify="size")
    except (NotFoundError, ConflictError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        config = CollectionConfig.parse(
            {"legs": {leg: LEGS[leg] for leg in chosen}, "passages": {"unit": passages}}
        )
        began = perf_counter()
        build(folder, dataset.documents(), config=config, progress=BarProgress())
        print(f"{folder.name}: built in {perf_counter() - began:.0f} s", flush=True)
        return Collection.open(folder, verify="size")


def stages(config: RerankerConfig) -> Iterator[RerankerConfig]:
    """The stages of a chain, or the reranker itself if it is not a chain."""
    if isinstance(config, ChainConfig):
        for stage in config.stages:
            yield from stages(stage.reranker)
    else:
        yield config


def asks(spec: str) -> bool:
    """Return True if a reranker calls a language model."""
    return any(isinstance(one, PromptingConfig) for one in stages(parse_spec(spec)))


def stored_legs(config: RerankerConfig) -> set[str]:
    """Names of the stored legs that a reranker reads."""
    found = set()
    for one in stages(config):
        if isinstance(one, LegScoreConfig | DiversityConfig) and one.leg is not None:
            found.add(one.leg)
    unknown = found - set(LEGS)
    if unknown:
        raise SystemExit(f"no leg {', '.join(sorted(unknown))}; there are {', '.join(LEGS)}")
    return found


def sampled(dataset: BeirDataset, count: int | None, seed: int) -> list[Any]:
    """All queries, or a random sample that depends only on the seed."""
    if count is None or count >= len(dataset.queries):
        return dataset.queries
    return random.Random(seed).sample(sorted(dataset.queries, key=lambda q: q.id), count)


def measured(
    collection: Collection,
    dataset: BeirDataset,
    queries: list[Any],
    first: str,
    spec: str,
    top_n: int,
) -> dict[str, Any]:
    """A row of the table: one reranker on some queries."""
    # A new registry for each row, which frees the models of the row before.
    collection.rerankers = RerankerRegistry({"it": parse_spec(spec)}, load=load_reranker)
    legs = [{"name": leg} for leg in FIRST[first]]
    qrels = {query.id: dataset.qrels[query.id] for query in queries}
    request = {spec: RerankRequest(model="it", top_n=top_n)}
    began = perf_counter()
    alone, row = rerank_table(
        collection, queries, qrels, request, [MEASURE], legs=legs, limit=100, progress=BarProgress()
    )
    return told(alone, row, first, top_n, perf_counter() - began)


def told(
    alone: RerankRow, row: RerankRow, first: str, top_n: int, seconds: float
) -> dict[str, Any]:
    assert row.cost is not None
    assert row.comparisons is not None
    return {
        "first": first,
        "reranker": row.name,
        "queries": row.cost.queries,
        "top_n": top_n,
        MEASURE: row.evaluation.measures[MEASURE],
        "first_stage": alone.evaluation.measures[MEASURE],
        **asdict(row.comparisons[MEASURE]),
        **asdict(row.cost),
        "calls_per_query": row.cost.calls,
        "tokens_per_query": row.cost.tokens,
        "row_seconds": seconds,
    }


COLUMNS = (
    f"{'first':8}{'reranker':34}{'queries':>8}{'top':>5}{MEASURE:>9}{'change':>9}{'p':>7}"
    f"{'calls/q':>9}{'tokens/q':>10}{'p50 ms':>9}{'p95 ms':>9}  notes"
)


def line(row: dict[str, Any]) -> str:
    if "p50" not in row:
        return f"{row['first']:8}{'-':34}{row['queries']:8}{100:5}{row[MEASURE]:9.4f}"
    notes = [f"{row[name]} {name}" for name in ("partial", "failed", "truncated") if row[name]]
    remembered = row["usage"]["cache_hits"] / row["queries"]
    notes += [f"{remembered:.1f} remembered/q"] if remembered else []
    return (
        f"{row['first']:8}{row['reranker'][-33:]:34}{row['queries']:8}{row['top_n']:5}"
        f"{row[MEASURE]:9.4f}{row['difference']:+9.4f}{row['p_value']:7.3f}"
        f"{row['calls_per_query']:9.1f}{row['tokens_per_query']:10,.0f}"
        f"{row['p50'] * 1e3:9.1f}{row['p95'] * 1e3:9.1f}  {', '.join(notes)}"
    )


def chosen(arguments: argparse.Namespace) -> dict[str, list[str]]:
    """First stage -> specs."""
    plain = list(arguments.rerankers) or [*STORED, *QUICK]
    if arguments.llm_queries and not arguments.rerankers:
        plain += LANGUAGE
    if arguments.cross_encoder and not arguments.rerankers:
        reader = f"cross-encoder:{arguments.cross_encoder}"
        plain += [reader, f"leg:late@100+{reader}@20", f"intra-document:{arguments.cross_encoder}"]
    if arguments.only:
        wanted = arguments.only.split(",")
        plain = [spec for spec in plain if spec.partition(":")[0] in wanted or spec in wanted]
    cheap = [spec for spec in plain if not asks(spec) and spec not in READING]
    specs = {"bm25": plain, "hybrid": plain if arguments.rerankers else cheap}
    return {first: specs[first] for first in arguments.first.split(",")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "rerankers",
        nargs="*",
        metavar="SPEC",
        help=f"{', '.join(usages())}; chains with + (default: those that need no weights of yours; "
        "legs late and tilde are stored)",
    )
    parser.add_argument("--sets", default="cranfield", help="names of sets")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--passages", default="tokens", help="how documents are cut")
    parser.add_argument("--first", default="bm25", help="first stages: bm25, hybrid")
    parser.add_argument("--cross-encoder", metavar="FOLDER", help="also what this one makes of it")
    parser.add_argument("--only", help="of the rerankers, those of these kinds")
    parser.add_argument("--queries", type=int, help="sample of queries (default: all)")
    parser.add_argument("--llm-queries", type=int, default=0, help="for language models; 0: none")
    parser.add_argument("--llm-candidates", type=int, default=20, help="for language models")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=CACHE / "rerank", help="of collections")
    parser.add_argument("--json", type=Path, help="write the rows here")
    arguments = parser.parse_args()
    if unknown := set(arguments.first.split(",")) - set(FIRST):
        raise SystemExit(f"--first: no {', '.join(unknown)}; there are {', '.join(FIRST)}")
    try:
        run(arguments, chosen(arguments))
    except TwindexError as error:
        raise SystemExit(f"error: {error}") from None


def run(arguments: argparse.Namespace, specs: dict[str, list[str]]) -> None:
    rows: list[dict[str, Any]] = []

    def add(name: str, row: dict[str, Any]) -> None:
        rows.append({"set": name, **row})
        print(line(row), flush=True)
        for warning, count in row.get("warnings", {}).items():
            print(f"{'':8}{count} queries: {warning}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps({"cpus": os.cpu_count(), "rows": rows}, indent=1))

    cache = arguments.cache / arguments.passages
    for name in arguments.sets.split(","):
        dataset = BeirDataset.open(arguments.data / name)
        print(f"\n{name}: {len(dataset.queries)} queries\n{COLUMNS}", flush=True)
        for first, wanted in specs.items():
            legs = set(FIRST[first])
            for spec in wanted:
                legs |= stored_legs(parse_spec(spec))
            with opened(cache, dataset, name, legs, arguments.passages) as collection:
                queries = sampled(dataset, arguments.queries, arguments.seed)
                add(name, first_row(collection, dataset, queries, first))
                for spec in wanted:
                    some, top_n = queries, parse_spec(spec).candidates
                    if asks(spec):
                        some = sampled(dataset, arguments.llm_queries or 10, arguments.seed)
                        top_n = top_n if "@" in spec else arguments.llm_candidates
                    try:
                        add(name, measured(collection, dataset, some, first, spec, top_n))
                    except TwindexError as error:
                        print(f"{first:8}{spec:34} {error}", file=sys.stderr, flush=True)


def first_row(
    collection: Collection, dataset: BeirDataset, queries: list[Any], first: str
) -> dict[str, Any]:
    legs = [{"name": leg} for leg in FIRST[first]]
    found = run_queries(engine_search(collection, legs=legs, limit=100), queries)
    qrels = {query.id: dataset.qrels[query.id] for query in queries}
    value = evaluate(found, qrels, [MEASURE]).measures[MEASURE]
    return {"first": first, "queries": len(queries), MEASURE: value}


if __name__ == "__main__":
    main()
