"""Dense vectors in memory: Twindex, FAISS, hnswlib, usearch, ScaNN and LanceDB.

    python benchmarks/run.py vectors --vectors 200000
    python benchmarks/run.py vectors --data rfc

The time is CPU time of all threads, for one query at a time and k = 10. For each recall@10, each
system runs at its smallest setting that reaches it. All systems are timed in interleaved rounds.

- ratio: median over the rounds of the time relative to FAISS's HNSW.
- held: bytes of memory for each vector.
- mapped: bytes for each vector of mapped files that searches also read (originals). The operating
  system may drop these pages.

Further parts measure the time that Twindex adds to the library call below it, the recall that its
calibration reaches, and exact search of batches in Twindex and FAISS.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import faiss
import numpy as np
from common.clustered import Clustered, nearest
from common.passages import rfc_vectors
from common.timing import cpu_rounds, table
from common.vector_systems import PARTS, Search, System, Vectors, all_systems
from numpy.typing import NDArray

from twindex.index import VectorSearch
from twindex.index.structures import exact

RECALLS = (0.90, 0.95, 0.98, 0.99)
BASE = "faiss HNSW32"
K = 10


def recall(search: Search, queries: Vectors, truth: NDArray[np.int64]) -> float:
    found = [search(queries[i : i + 1], K) for i in range(len(queries))]
    return float(np.mean([np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]))


def smallest(
    system: System, queries: Vectors, truth: NDArray[np.int64]
) -> dict[float, tuple[Any, float]]:
    """For each recall target, the first setting that reaches it, and the recall it reaches."""
    chosen: dict[float, tuple[Any, float]] = {}
    for setting in system.settings:
        reached = recall(system.tuned(setting), queries, truth)
        for wanted in RECALLS:
            if reached >= wanted and wanted not in chosen:
                chosen[wanted] = (setting, reached)
        if len(chosen) == len(RECALLS):
            break
    return chosen


def compare(
    systems: Sequence[System], queries: Vectors, truth: NDArray[np.int64], rows: int, rounds: int
) -> list[dict[str, Any]]:
    chosen = {system.name: smallest(system, queries, truth) for system in systems}
    results = []
    for wanted in RECALLS:
        able = [s for s in systems if wanted in chosen[s.name]]
        searches = {s.name: s.tuned(chosen[s.name][wanted][0]) for s in able}
        taken = cpu_rounds(
            {name: _asking(search, queries) for name, search in searches.items()},
            {name: 30 if name == "LanceDB" else len(queries) for name in searches},
            rounds,
        )
        for system in able:
            times = taken[system.name]
            setting, reached = chosen[system.name][wanted]
            ratios = [t / b for t, b in zip(times, taken.get(BASE, times), strict=True)]
            results.append(
                {
                    "recall@10": wanted,
                    "system": system.name,
                    "reached": reached,
                    "us": median(times),
                    "ratio": median(ratios),
                    "held B/vector": system.held / rows,
                    "mapped B/vector": system.mapped / rows,
                    "build CPU s": system.build_seconds,
                    "setting": json.dumps(setting),
                }
            )
        for system in systems:
            if system not in able:
                print(f"recall {wanted}: {system.name} reaches it with no setting", flush=True)
    return results


def overhead(name: str, queries: Vectors, rounds: int) -> dict[str, Any]:
    """Time of a structure and of a segment, relative to FAISS's call with the same parameters."""
    part = PARTS[name]
    indexed = part._indexed
    assert indexed is not None
    structure = indexed.structure
    parameters = indexed.parameters(VectorSearch(recall=0.95), K, 1.0)
    assert parameters is not None
    number = K * max(1, parameters.get("oversample", 1))
    index = structure._index  # type: ignore[attr-defined]
    # A vector in two lists is found twice, so the structure requests more candidates.
    requested = number * getattr(structure, "_replicas", 1)
    if "nprobe" in parameters:
        settings = faiss.SearchParametersIVF(nprobe=parameters["nprobe"])
    else:
        settings = faiss.SearchParametersHNSW(efSearch=max(parameters["ef"], number))
    whole = _tuned(name, VectorSearch(recall=0.95))
    taken = cpu_rounds(
        {
            "faiss": lambda i: index.search(queries[i : i + 1], requested, params=settings),
            "structure": lambda i: structure.search(queries[i : i + 1], number, parameters, None),
            "segment": _asking(whole, queries),
        },
        dict.fromkeys(("faiss", "structure", "segment"), len(queries)),
        rounds,
    )
    ratio = {
        layer: median(t / b for t, b in zip(taken[layer], taken["faiss"], strict=True))
        for layer in ("structure", "segment")
    }
    return {
        "system": name,
        "faiss us": median(taken["faiss"]),
        "structure": ratio["structure"],
        "segment": ratio["segment"],
        "requested": requested,
        "parameters": json.dumps(dict(parameters)),
    }


def calibrated(name: str, queries: Vectors, truth: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The recall that a search with a recall target reaches."""
    return [
        {
            "system": name,
            "asked": wanted,
            "reached": recall(_tuned(name, VectorSearch(recall=wanted)), queries, truth),
        }
        for wanted in RECALLS
    ]


def batches(vectors: Vectors, queries: Vectors, rounds: int) -> list[dict[str, Any]]:
    """CPU time of exact search for each query: FAISS by default, FAISS with BLAS, and Twindex."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    half = vectors.astype(np.float16)
    results = []
    for number in (1, 8, 32, 256):
        asked = np.resize(queries, (number, queries.shape[1]))
        systems: dict[str, Callable[[], Any]] = {
            "faiss": lambda asked=asked: index.search(asked, K),
            "ours": lambda asked=asked: exact.search(asked, vectors, K, None),
            "ours f16": lambda asked=asked: exact.search(asked, half, K, None),
        }
        taken: dict[str, list[float]] = {name: [] for name in systems}
        for _ in range(rounds):
            for name, search in systems.items():
                began = process_time()
                search()
                taken[name].append((process_time() - began) / number * 1e6)
        speedups = {
            name: median(b / t for b, t in zip(taken["faiss"], taken[name], strict=True))
            for name in ("ours", "ours f16")
        }
        results.append(
            {
                "queries": number,
                **{f"{name} us": median(times) for name, times in taken.items()},
                **{f"{name} speed-up": value for name, value in speedups.items()},
            }
        )
    return results


def _asking(search: Search, queries: Vectors) -> Callable[[int], Any]:
    return lambda i: search(queries[i : i + 1], K)


def _tuned(name: str, wanted: VectorSearch) -> Search:
    from twindex.core import Representation

    part = PARTS[name].tuned(wanted)
    return lambda query, k: part.search(Representation(dense=query), k, None).rows[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--vectors", type=int, default=100_000)
    parser.add_argument("--data", choices=("clustered", "rfc"), default="clustered")
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of FAISS in searches")
    parser.add_argument("--leave-out", default="", help="systems to leave out, comma-separated")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.data == "clustered":
        source = Clustered(options.vectors)
        queries, truth = source.queries(options.queries), source.nearest(options.queries, K)
        vectors = source.read(0, len(source))
    else:
        vectors, queries = rfc_vectors(options.vectors, options.queries)
        truth = nearest(iter([vectors]), queries, K)
    print(f"{len(vectors):,} vectors of {vectors.shape[1]}, {len(queries)} queries", flush=True)
    systems = []
    with TemporaryDirectory() as folder:
        for system in all_systems(vectors, Path(folder), options.leave_out.split(",")):
            print(f"built {system.name} in {system.build_seconds:.0f} CPU s", flush=True)
            systems.append(system)
        faiss.omp_set_num_threads(options.threads)
        results: dict[str, Any] = {
            "vectors": len(vectors),
            "data": options.data,
            "queries": len(queries),
            "width": vectors.shape[1],
            "threads": options.threads,
        }
        results["systems"] = compare(systems, queries, truth, len(vectors), options.rounds)
        print(table(results["systems"]), flush=True)
        layered = [name for name in PARTS if name != "twindex scann"]
        results["overhead"] = [overhead(name, queries, options.rounds) for name in layered]
        print(table(results["overhead"]), flush=True)
        results["calibrated"] = [c for name in PARTS for c in calibrated(name, queries, truth)]
        print(table(results["calibrated"]), flush=True)
        results["exact"] = batches(vectors, queries, options.rounds)
        print(table(results["exact"]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
