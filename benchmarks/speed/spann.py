"""Vectors on disk: SPANN and other indexes, with cold and with warm pages.

    python benchmarks/run.py spann --vectors 200000 1000000
    python benchmarks/run.py spann --part memory --memory-budget 512MB --memory-vectors 1000000

Parts (`--part search,codecs,replicas,scale,memory`; search and memory if none is named):

    search    Twindex, IVF with the same number of lists and no replicas, FAISS, LanceDB, DiskANN
    codecs    Twindex with float32, float8 and int8 lists; the last two are rescored from float16
              originals
    replicas  the effect of the maximum number of lists of a vector
    scale     growth of the cost with the number of vectors, extrapolated
    memory    peak memory of a build from a file on disk, in a process of its own

The vectors are clustered and have 384 dimensions (`clustered.py`). The figure of quality is
recall@10 of queries that are not among the vectors.

Cold: before each query, the pages of the system's own files are dropped from the page cache
(`disk.py`). Systems take turns. KB is the amount read from disk (/proc/self/io). Heads and tables
stay in memory. CPU is the time of all threads, warm. `reads` and `lists` are those that a search
requests.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common.clustered import Clustered
from common.disk import cold
from common.spann_memory import in_bytes, memory
from common.spann_peers import diskann, faiss_on_disk, lancedb
from common.spann_systems import K, System, ours, plain_ivf, reaching, recall, say
from common.timing import cpu_per_query, table

TARGETS = (0.90, 0.96, 0.985)
PARTS = ("search", "codecs", "replicas", "scale", "memory")
CODECS = ("float32", "float8_e4m3", "int8")
CAPS = (1, 2, 3, 4, 6, 8)
BILLION = 10**9


class Bench:
    """A set of vectors with queries, and the indexes built of it."""

    def __init__(self, vectors: int, folder: Path, options: argparse.Namespace) -> None:
        self.source = Clustered(vectors)
        self.folder = folder / str(vectors)
        self.folder.mkdir(parents=True, exist_ok=True)
        say(f"{vectors:,} vectors: exact neighbours")
        self.queries = self.source.queries(options.queries)
        self.truth = self.source.nearest(options.queries, K)
        self.cold_queries = min(options.cold, options.queries)
        self.rounds = options.rounds
        self.raw = vectors * self.source.width * 4

    def measure(self, systems: Sequence[System], targets: Sequence[float]) -> list[dict[str, Any]]:
        """Measure each system at its cheapest setting for each recall. Systems take turns."""
        rows = []
        for target in targets:
            chosen = {}
            for system in systems:
                say(f"{system.name}: recall {target}")
                found = reaching(system, self.queries, self.truth, target, self._cost(system))
                if found is None:
                    print(f"{system.name} does not reach {target}", flush=True)
                else:
                    chosen[system.name] = (system, *found)
            rows += self._rows(chosen, target)
        return rows

    def at(self, system: System, setting: Mapping[str, int]) -> dict[str, Any]:
        """Measure one system at one setting."""
        reached = recall(system.search(self.queries, setting), self.truth)
        return self._rows({system.name: (system, setting, reached)}, 0)[0]

    def _rows(
        self, chosen: dict[str, tuple[System, Mapping[str, int], float]], target: float
    ) -> list[dict[str, Any]]:
        calls: dict[str, tuple[Callable[[int], Any], Sequence[Path]]] = {}
        warm = {}
        for name, (system, setting, _) in chosen.items():
            warm[name] = self._call(system.search, setting)
            calls[name] = (warm[name], system.files)
            if system.read is not None:
                calls[f"{name}, reads"] = (self._call(system.read, setting), system.files)
        times = cold(calls, self.cold_queries)
        used = cpu_per_query(warm, dict.fromkeys(warm, self.cold_queries), self.rounds)
        rows = []
        for name, (system, setting, reached) in chosen.items():
            lists, reads, kilobytes = self._needs(system, setting)
            pure = times.get(f"{name}, reads", {}).get("p50 ms")
            rows.append(
                {
                    "system": name,
                    "target": target,
                    "recall": reached,
                    "setting": " ".join(f"{key}={value}" for key, value in setting.items()),
                    "lists": lists,
                    "reads": reads,
                    "KB asked": kilobytes,
                    **times[name],
                    "x pure read": times[name]["p50 ms"] / pure if pure else "",
                    "warm CPU us": used[name],
                    "memory MB": system.memory / 1e6 or "",
                    "disk x raw": system.disk / self.raw,
                    "of it originals": system.originals / self.raw,
                }
            )
        return rows

    def _call(
        self, function: Callable[..., Any], setting: Mapping[str, int]
    ) -> Callable[[int], Any]:
        return lambda query: function(self.queries[query : query + 1], setting)

    def _needs(self, system: System, setting: Mapping[str, int]) -> tuple[Any, Any, Any]:
        """Mean lists, reads and KB of a query; blank if the system does not report them."""
        if system.needs is None:
            return setting["nprobe"], "", ""
        needs = [
            system.needs(self.queries[query : query + 1], setting)
            for query in range(self.cold_queries)
        ]
        lists, reads, read = np.mean(needs, axis=0).tolist()
        return lists, reads, read / 1024

    def _cost(self, system: System) -> Callable[[Mapping[str, int]], float]:
        """Cost of a setting: the bytes that it requests, or else its lists and candidates."""
        if system.needs is None:
            return lambda setting: setting["nprobe"] + 4 * setting.get("refine", 0)
        return lambda setting: float(self._needs(system, setting)[2])


def search(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Compare Twindex with other systems."""
    source, folder = bench.source, bench.folder
    say("building SPANN")
    systems = [ours(source, folder, c, head_share=options.head_share) for c in ("float32", "int8")]
    peers: dict[str, Callable[[], System | None]] = {
        "ivf": lambda: plain_ivf(source, folder, systems[0].report["heads"]),
        "faiss": lambda: faiss_on_disk(source, folder),
        "lancedb": lambda: lancedb(source, folder),
    }
    for name in (name for name in peers if name in options.peers):
        say(f"building {name}")
        peer = peers[name]()
        if peer is not None:
            systems.append(peer)
    rows = bench.measure(systems, TARGETS)
    print(table(rows))
    ratios = []
    for target in TARGETS:
        here = {row["system"].split()[0]: row for row in rows if row["target"] == target}
        mine = next((row for row in rows if row["target"] == target), None)
        if mine is None or "IVF" not in here:
            continue
        other = here["IVF"]
        ratios.append(
            {
                "recall": target,
                **{
                    f"{name}, IVF / ours": other[name] / mine[name]
                    for name in ("reads", "KB", "p50 ms", "warm CPU us", "memory MB")
                },
            }
        )
    if ratios:
        print(f"\nwithout replicas at the same memory, against {systems[0].name}:\n{table(ratios)}")
    builds = {system.name: system.build_seconds for system in systems}
    print(f"CPU seconds of builds (0 = kept): {builds}")
    became = diskann(source, folder) if "diskann" in options.peers else "not asked for"
    print(f"DiskANN (diskannpy): {became}")
    return {"rows": rows, "ratios": ratios, "build_cpu_seconds": builds, "diskann": became}


def codecs(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Compare the codecs of the lists."""
    systems = []
    for codec in CODECS:
        for replicas in (3, 4):
            say(f"building {codec}, cap {replicas}")
            system = ours(bench.source, bench.folder, codec, replicas, options.head_share)
            system.name += f", cap {replicas}"
            systems.append(system)
    rows = bench.measure(systems, TARGETS)
    print(table(rows))
    return {"rows": rows}


def replicas(bench: Bench, options: argparse.Namespace) -> dict[str, Any]:
    """Compare maximum numbers of replicas: at 8 lists, and at recall .96."""
    rows = []
    for codec in ("float32", "int8"):
        for cap in CAPS:
            say(f"building {codec}, cap {cap}")
            system = ours(bench.source, bench.folder, codec, cap, options.head_share)
            system.name += f", cap {cap}"
            shape = {"mean": system.report["mean_replicas"], "heads": system.report["heads"]}
            setting = {**system.ladders[0][0], "nprobe": 8}
            rows.append({"at": "8 lists", **shape, **bench.at(system, setting)})
            rows += [{"at": ".96", **shape, **row} for row in bench.measure([system], (0.96,))]
    print(table(rows))
    return {"rows": rows}


def scale(benches: Sequence[Bench]) -> dict[str, Any]:
    """Cost at recall .96 by number of vectors, extrapolated to 10^9 by a fitted power law."""
    rows = []
    for bench in benches:
        for codec in ("float32", "int8"):
            say(f"building {codec}")
            system = ours(bench.source, bench.folder, codec)
            rows += [
                {
                    "codec": codec,
                    "vectors": len(bench.source),
                    "heads": system.report["heads"],
                    "entries": row["lists"] * system.report["lengths"]["mean"],
                    "B of memory/vector": system.memory / len(bench.source),
                    **{key: row[key] for key in ("lists", "reads", "KB", "p50 ms")},
                    "warm CPU us": row["warm CPU us"],
                    "disk x raw": row["disk x raw"],
                }
                for row in bench.measure([system], (0.96,))
            ]
    print(table(rows))
    fits = [fit for codec in ("float32", "int8") for fit in fitted(codec, rows)]
    if fits:
        print(f"\ncost = c * vectors^power, extrapolated to 10^9 (on paper):\n{table(fits)}")
    return {"rows": rows, "fits": fits}


def fitted(codec: str, rows: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Fit a straight line through the logarithms, if there are enough sizes."""
    here = [row for row in rows if row["codec"] == codec]
    if len(here) < 2:
        return
    sizes = np.log([row["vectors"] for row in here])
    for name in ("lists", "KB", "p50 ms", "warm CPU us"):
        power, start = np.polyfit(sizes, np.log([row[name] for row in here]), 1)
        yield {
            "codec": codec,
            "of a query": name,
            "power": float(power),
            "at 10^9": float(np.exp(start + power * np.log(BILLION))),
            "memory GB": here[-1]["B of memory/vector"] * BILLION / 1e9,
            "disk TB": here[-1]["disk x raw"] * BILLION * Clustered.width * 4 / 1e12,
        }


def main() -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, nargs="+", default=[200_000])
    parser.add_argument("--part", default="search,memory", help="with commas between")
    parser.add_argument("--queries", type=int, default=300, help="that recall is the mean of")
    parser.add_argument("--cold", type=int, default=200, help="of them are timed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="ivf,faiss,lancedb,diskann", help="in part search")
    parser.add_argument("--head-share", type=float, help="heads for each vector; not in part scale")
    parser.add_argument("--scale", type=int, nargs="+", help="sizes; default: n/10 and each n")
    parser.add_argument("--memory-vectors", type=int, nargs="+", default=[500_000])
    parser.add_argument("--memory-budget", type=in_bytes, default=in_bytes("512MB"))
    parser.add_argument("--directory", type=Path, help="store builds here and reuse them")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    parts = options.part.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    report: dict[str, Any] = {"threads": os.environ.get("OMP_NUM_THREADS"), "parts": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.directory or Path(temporary)
        for vectors in options.vectors:
            bench = Bench(vectors, folder, options) if set(parts) - {"memory", "scale"} else None
            for name, part in (("search", search), ("codecs", codecs), ("replicas", replicas)):
                if name in parts and bench is not None:
                    print(f"\n{name}, {vectors:,} vectors", flush=True)
                    report["parts"][f"{name} {vectors}"] = part(bench, options)
        if "scale" in parts:
            sizes = options.scale or sorted({min(options.vectors) // 10, *options.vectors})
            print("\nscale", flush=True)
            report["parts"]["scale"] = scale([Bench(size, folder, options) for size in sizes])
        if "memory" in parts:
            for vectors in options.memory_vectors:
                print(f"\nmemory, {vectors:,} vectors", flush=True)
                made = memory(vectors, folder / f"memory-{vectors}", options.memory_budget)
                report["parts"][f"memory {vectors}"] = made
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
