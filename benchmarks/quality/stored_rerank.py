"""Reranking by stored legs: bytes, build time, speed and nDCG@10.

    python benchmarks/run.py stored_rerank --sets cranfield,scifact
    python benchmarks/run.py stored_rerank --sets "" --synthetic 50000,1000000

BM25's best 100 documents are reranked by a late-interaction leg, stored with each codec, and by a
TILDEv2-style leg without and with expansion. The time is that of encoding the query and of scoring
its 100 candidates in the index, which is the time that reranking adds to a search. Models and
searches run on `--threads` threads. Collections are built at the first run and stored in --work.

--synthetic times the TILDEv2-style leg with random weights, for each number of passages. A passage
has 80 of 30,522 terms, drawn by Zipf's law. A query has 6 terms.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from common.datasets import CACHE, DATA
from common.timing import table
from scipy.sparse import csr_array

from twindex.core import ConflictError, NotFoundError, Representation
from twindex.encoders import LateEncoderConfig, PassageConfig, TildeEncoderConfig, load_encoder
from twindex.eval import BeirDataset, evaluate
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    Int8Codec,
    LegConfig,
    LexicalLeg,
    ProjectionConfig,
    ScalarCodec,
    SparseLeg,
    VectorStorage,
)
from twindex.index.store.segment import Passages
from twindex.index.store.snapshot import Part, Snapshot
from twindex.rerank import LegScoreConfig
from twindex.search import Collection, LegRequest, RerankerRegistry, RerankRequest, build

DEPTH = 100
HALF = ProjectionConfig(share=0.5)
THIRD = ProjectionConfig(share=1 / 3)
STORAGE: dict[str, VectorStorage] = {
    "float32": VectorStorage(codec=ScalarCodec(kind="float32")),
    "float16": VectorStorage(codec=ScalarCodec(kind="float16")),
    "int8": VectorStorage(codec=Int8Codec()),
    "int4": VectorStorage(codec=ScalarCodec(kind="int4")),
    "binary": VectorStorage(codec=ScalarCodec(kind="binary")),
    "pca 1/2, int4": VectorStorage(codec=ScalarCodec(kind="int4"), projection=HALF),
    "pca 1/3, int8": VectorStorage(codec=Int8Codec(), projection=THIRD),
    "pca 1/3, int4": VectorStorage(codec=ScalarCodec(kind="int4"), projection=THIRD),
    "pca 1/3, binary": VectorStorage(codec=ScalarCodec(kind="binary"), projection=THIRD),
}
SHORT = "float32;int4;binary;pca 1/3, int4"
"""The codecs that are measured if none is named."""

Row = dict[str, Any]


def milliseconds(run: Callable[[int], Any], queries: int) -> Row:
    """Milliseconds of a query after a warm-up: median, 95th percentile, and median of CPU time.

    CPU time depends less on other load of the machine.
    """
    for query in range(min(5, queries)):
        run(query)
    taken, worked = [], []
    for query in range(queries):
        began, cpu = perf_counter(), process_time()
        run(query)
        taken.append((perf_counter() - began) * 1e3)
        worked.append((process_time() - cpu) * 1e3)
    return {
        "p50 ms": statistics.median(taken),
        "p95 ms": float(np.percentile(taken, 95)),
        "CPU ms": statistics.median(worked),
    }


def built(
    folder: Path, dataset: BeirDataset, legs: dict[str, LegConfig], passages: PassageConfig
) -> float | None:
    """Build a collection where there is none, or the rest of one; the seconds that it took."""
    with suppress(NotFoundError, ConflictError), Collection.open(folder):
        return None
    began = perf_counter()
    config = CollectionConfig(legs={"lexical": LexicalLeg(), **legs}, passages=passages)
    build(folder, dataset.documents(), config)
    return perf_counter() - began


def measured(folder: Path, dataset: BeirDataset, leg: str) -> Row:
    """Measure one leg: its size, its speed, and nDCG@10 of BM25's best documents reranked by it."""
    registry = RerankerRegistry({leg: LegScoreConfig(leg=leg)})
    with Collection.open(folder, rerankers=registry) as collection:
        first: dict[str, list[str]] = {}
        run: dict[str, dict[str, float]] = {}
        for query in dataset.queries:
            asked: Any = {"legs": [LegRequest(name="lexical")], "limit": DEPTH, "include": []}
            found = collection.search(
                query.text, rerank=RerankRequest(model=leg, top_n=DEPTH), **asked
            ).hits
            first[query.id] = [hit.id for hit in found]
            run[query.id] = {hit.id: -float(place) for place, hit in enumerate(found)}
        info = collection.info()
        encoder = load_encoder(collection.config.legs[leg].encoder, device="cpu")
        with collection.store.view() as view:
            known = view.names(np.unique(view.owners()).tolist())
            numbers = {name: number for number, name in known.items()}
            candidates = [
                np.array([numbers[name] for name in first[query.id]]) for query in dataset.queries
            ]

            def once(place: int) -> None:
                query = encoder.encode([dataset.queries[place].text], role="query")
                view.search(leg, query, DEPTH, view.among(candidates[place]))

            speed = milliseconds(once, len(dataset.queries))
        return {
            "bytes a passage": info["legs"][leg]["bytes"] / info["passages"],
            **speed,
            "nDCG@10": evaluate(run, dataset.qrels, ["nDCG@10"]).measures["nDCG@10"],
        }


def first_stage(folder: Path, dataset: BeirDataset) -> float:
    with Collection.open(folder) as collection:
        run = {
            query.id: {
                hit.id: hit.score
                for hit in collection.search(
                    query.text, legs=[LegRequest(name="lexical")], limit=10
                ).hits
            }
            for query in dataset.queries
        }
    return evaluate(run, dataset.qrels, ["nDCG@10"]).measures["nDCG@10"]


def of_set(name: str, work: Path, passages: PassageConfig, given: argparse.Namespace) -> list[Row]:
    """One row for each way of storing, BM25's own first."""
    data, codecs = given.data, given.codecs.split(";")
    dataset = BeirDataset.open(data / name)
    late = DenseLeg(
        role="rerank", encoder=LateEncoderConfig(device="cpu"), codec=ScalarCodec(kind="float16")
    )
    source = work / f"late-{name}"
    seconds = built(source, dataset, {"late": late}, passages)
    rows: list[Row] = [
        {
            "set": name,
            "leg": "BM25",
            "build s": "",
            "bytes a passage": "",
            "p50 ms": "",
            "p95 ms": "",
            "CPU ms": "",
            "nDCG@10": first_stage(source, dataset),
        }
    ]
    for how in codecs:
        with tempfile.TemporaryDirectory(dir=work) as temporary:
            folder = Path(temporary) / "c"
            shutil.copytree(source, folder)
            began = perf_counter()
            with Collection.open(folder) as collection:
                collection.reconfigure({"late": STORAGE[how]})
            took = perf_counter() - began
            rows.append(
                {
                    "set": name,
                    "leg": f"late, {how}",
                    "build s": "" if seconds is None else round(seconds + took, 1),
                    **measured(folder, dataset, "late"),
                }
            )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    for expansion in given.expansions:
        how = f"tilde, {expansion} expanded" if expansion else "tilde"
        encoder = TildeEncoderConfig(device="cpu", expansion=expansion)
        folder = work / f"tilde{expansion}-{name}"
        leg = SparseLeg(role="rerank", encoder=encoder)
        seconds = built(folder, dataset, {"tilde": leg}, passages)
        took = "" if seconds is None else round(seconds, 1)
        rows.append(
            {"set": name, "leg": how, "build s": took, **measured(folder, dataset, "tilde")}
        )
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def synthetic(passages: int) -> Row:
    """Time the TILDEv2-style leg with random weights: encode real queries, score 100 passages."""
    rng = np.random.default_rng(0)
    encoder = load_encoder(TildeEncoderConfig(device="cpu"))
    vocabulary, terms, asked = 30_522, 80, 6
    frequency = 1 / np.arange(1, vocabulary + 1)
    places = rng.permutation(vocabulary)
    bounds = np.cumsum(frequency) / frequency.sum()

    def drawn(rows: int, count: int) -> csr_array:
        found = places[np.searchsorted(bounds, rng.random((rows, count)))]
        weights = rng.random(found.size, dtype=np.float32) + np.float32(0.1)
        indptr = np.arange(rows + 1, dtype=np.int64) * count
        matrix = csr_array((weights, found.ravel(), indptr), shape=(rows, vocabulary))
        matrix.sum_duplicates()
        return matrix

    with tempfile.TemporaryDirectory() as temporary:
        leg = SparseLeg(role="rerank", encoder=TildeEncoderConfig(device="cpu"))
        began = perf_counter()
        kind = leg.segment_part()
        kind.build(Path(temporary), Representation(sparse=drawn(passages, terms)), leg)
        seconds = perf_counter() - began
        size = sum(file.stat().st_size for file in Path(temporary).iterdir())
        spans = np.full((passages, 2), -1, dtype=np.int32)
        own = Passages(np.arange(1, passages + 1, dtype=np.int64), spans)
        part = Part(own, {"tilde": kind.open(Path(temporary), leg)}, None, passages, 1.0)
        config = CollectionConfig(legs={"lexical": LexicalLeg(), "tilde": leg})
        snapshot = Snapshot(1, config, [part], {}, [])
        queries = [drawn(1, asked) for _ in range(200)]
        chosen = [rng.choice(passages, DEPTH, replace=False) + 1 for _ in queries]

        def once(place: int) -> None:
            # What a real query takes to encode, though its weights are not of these terms.
            encoder.encode(["how do ants find the way back to their nest"], role="query")
            masks = snapshot.masks(chosen[place])
            snapshot.search("tilde", Representation(sparse=queries[place]), DEPTH, masks)

        speed = milliseconds(once, len(queries))
    return {
        "passages": f"{passages:,}",
        "build s": round(seconds, 1),
        "bytes a passage": size / passages,
        **speed,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default="cranfield", help="names of sets")
    parser.add_argument("--synthetic", default="50000", help="numbers of passages")
    parser.add_argument("--passages", default="tokens", help="unit by which documents are cut")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--work", type=Path, default=CACHE / "stored_rerank")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--expansions", type=int, nargs="+", default=[0], help="terms of TILDEv2")
    parser.add_argument("--codecs", default=SHORT, help="of late interaction, semicolons between")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args(arguments)

    import torch

    torch.set_num_threads(given.threads)
    work = given.work / given.passages
    work.mkdir(parents=True, exist_ok=True)
    passages = PassageConfig.parse({"unit": given.passages})
    rows = [
        row
        for name in filter(None, given.sets.split(","))
        for row in of_set(name, work, passages, given)
    ]
    large = [synthetic(int(rows_)) for rows_ in filter(None, given.synthetic.split(","))]
    for found in (rows, large):
        if found:
            print(table(found), end="\n\n")
    if given.json is not None:
        told = {"threads": given.threads, "cpus": os.cpu_count(), "sets": rows, "synthetic": large}
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
