"""Query rewriting by a small language model: quality, time, calls and tokens of each kind.

    python benchmarks/run.py rewriting --sets scifact,cranfield --queries 50

Every set is indexed with the default configuration. The kinds have their default parameters, except
`--texts` for HyDE and `--max-tokens` for all. Each kind is compared with the plain search of the
same legs by a paired randomisation test, on the first queries of a set, with Holm's correction over
the kinds and legs of a set. Times are medians over the queries, of the language model alone and of
everything after it; every query is rewritten once. The figures of a set are kept in `--work` when
they are complete, so an interrupted run continues with the next set. `name:N` selects N documents
of a set: the documents that answer its queries, and others at equal distances.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.datasets import DATA
from quality.feedback import opened
from quality.passage_cutting import part_of

from twindex.core import Qrels, Query, QueryStage, SearchResult
from twindex.eval import BeirDataset, compare, evaluate, holm
from twindex.generate.rewriting import (
    REWRITERS,
    RewriterConfig,
    decompose,
    hyde,
    queries,
    query2doc,
    step_back,
)
from twindex.search import Collection, RewriterRegistry

SETS = "scifact,cranfield,cisi,msrd_movies"
MEASURES = ("nDCG@10", "R@100")
HITS = 100
"""That the measures need."""
PLAIN = "plain"
KINDS = ("hyde", "query2doc", "queries", "decompose", "step_back")
LEGS: Mapping[str, Mapping[str, Any]] = {
    "fused": {},
    "lexical": {"legs": ["lexical"]},
    "sparse": {"legs": ["sparse"]},
    "dense": {"legs": ["dense"]},
}
"""Legs that are searched -> fields of the request. The first rewrites; the others use the cache."""


def rewriters(kinds: Sequence[str], model: str, texts: int, max_tokens: int) -> RewriterRegistry:
    """The rewriters that are measured, by kind."""
    configs: dict[str, RewriterConfig] = {}
    for kind in kinds:
        fields: dict[str, Any] = {"kind": kind, "llm": {"model": model}, "max_tokens": max_tokens}
        if kind == "hyde":
            fields["texts"] = texts
        configs[kind] = REWRITERS.parse(fields)
    return RewriterRegistry(configs)


def searched(
    collection: Collection, queries: Sequence[Query], fields: Mapping[str, Any]
) -> dict[str, SearchResult]:
    """Query -> its result."""
    return {
        query.id: collection.search(query.text, limit=HITS, include=(), **fields)
        for query in queries
    }


def cost(results: Mapping[str, SearchResult]) -> dict[str, float]:
    """Figures of the rewriting of one kind: means over the queries, and medians of times."""
    stages: list[QueryStage] = [one.stages[0] for one in results.values()]
    used = [one.usage for one in stages if one.usage is not None]
    count = len(stages)
    return {
        "ran": sum(one.status == "ran" for one in stages) / count,
        "failed": sum(one.status == "failed" for one in stages) / count,
        "texts": sum(len(one.queries) for one in stages) / count,
        "calls": sum(one.calls for one in used) / count,
        "prompt_tokens": sum(one.prompt_tokens for one in used) / count,
        "completion_tokens": sum(one.completion_tokens for one in used) / count,
        "searches": sum(one.searches for one in stages) / count,
        "milliseconds": statistics.median(one.milliseconds for one in stages),
    }


def measured(
    collection: Collection, kinds: Sequence[str], queries: Sequence[Query], judged: Qrels
) -> dict[str, Any]:
    """The figures of one set: those of each kind with each leg, and the cost of each kind."""
    qrels = {query.id: judged[query.id] for query in queries}
    legs: dict[str, Any] = {leg: {} for leg in LEGS}
    costs: dict[str, Any] = {}
    plain: dict[str, Mapping[str, Mapping[str, float]]] = {}
    for kind in (PLAIN, *kinds):
        rewrite = {} if kind == PLAIN else {"rewrite": kind}
        for leg, fields in LEGS.items():
            results = searched(collection, queries, {**fields, **rewrite})
            run = {query: {hit.id: hit.score for hit in found} for query, found in results.items()}
            values = evaluate(run, qrels, MEASURES)
            after = [without_models(found) for found in results.values()]
            own = legs[leg][kind] = {
                "measures": dict(values.measures),
                "milliseconds": statistics.median(after),
            }
            if kind == PLAIN:
                plain[leg] = values.per_query
            else:
                own["tests"] = tests(values.per_query, plain[leg])
                costs.setdefault(kind, cost(results))
            print(f"  {leg:8} {kind:10} {shown(own)}", flush=True)
    for measure in MEASURES:
        each = [legs[leg][kind]["tests"][measure] for leg in LEGS for kind in kinds]
        for test, corrected in zip(each, holm([one["p"] for one in each]), strict=True):
            test["corrected"] = corrected
    return {"legs": legs, "costs": costs}


def key(arguments: argparse.Namespace, registry: RewriterRegistry) -> str:
    """A text that differs if the figures of a set may differ."""
    made = [registry.config(kind).model_dump(mode="json") for kind in registry.names]
    versions = [module.VERSION for module in (hyde, query2doc, queries, decompose, step_back)]
    told = json.dumps([made, versions, arguments.queries], sort_keys=True)
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--sets", default=SETS, help="names of sets, comma-separated")
    parser.add_argument("--queries", type=int, default=50, help="most queries of a set")
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds, comma-separated")
    parser.add_argument("--model", default="SmolLM2-135M-Instruct", help="language model")
    parser.add_argument("--texts", type=int, default=2, help="passages of HyDE")
    parser.add_argument("--max-tokens", type=int, default=64, help="most tokens of an answer")
    parser.add_argument("--work", type=Path, default=Path(".cache/feedback"))
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    if unknown := {*kinds} - {*KINDS}:
        parser.error(f"--kinds: unknown {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    registry = rewriters(kinds, arguments.model, arguments.texts, arguments.max_tokens)
    figures: dict[str, Any] = {}
    for name in arguments.sets.split(","):
        kept = arguments.work / f"rewriting-{name}-{key(arguments, registry)}.json"
        if not kept.exists():
            plain, _, most = name.partition(":")
            dataset = BeirDataset.open(arguments.data / plain)
            documents, queries, qrels = part_of(dataset, int(most) if most else None)
            queries = queries[: arguments.queries]
            with opened(arguments.work / name, documents) as collection:
                collection.rewriters = registry
                collection.load()
                count = collection.count()
                print(f"\n{name}: {count} documents, {len(queries)} queries", flush=True)
                found = measured(collection, kinds, queries, qrels)
            kept.write_text(json.dumps({"documents": count, "queries": len(queries), **found}))
        figures[name] = json.loads(kept.read_text())
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


def without_models(found: SearchResult) -> float:
    """Milliseconds of a search without encoding and rewriting its query."""
    return found.milliseconds - found.timings["encode"] - found.timings.get("rewrite", 0.0)


def tests(
    values: Mapping[str, Mapping[str, float]], plain: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """Measure -> difference from the plain search, and its p-value."""
    found = {measure: compare(values[measure], plain[measure]) for measure in MEASURES}
    return {m: {"difference": one.difference, "p": one.p_value} for m, one in found.items()}


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
