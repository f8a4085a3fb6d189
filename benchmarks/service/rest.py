"""The time that HTTP adds to a search, for one client, and the processor time of the server.

The server runs in a process of its own. Each round has a ping (`/livez`), a search over HTTP on one
kept-alive connection, and the same search in this process. So other load affects all three equally.
Encoders are fakes, because the time of a model would hide the time of HTTP.

    python benchmarks/run.py rest
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path

from twindex.index import CollectionConfig
from twindex.search import Collection, SearchRequest
from twindex.sources import read_stdlib_docstrings

LEGS = {
    "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
    "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
    "lexical": {"kind": "lexical"},
}
NAME = "stdlib"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=100, help="of each kind in a round")
    parser.add_argument("--limit", type=int, default=10, help="hits of a search")
    parser.add_argument("--include", nargs="*", default=["title", "text", "metadata"])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        queries = fill(Path(folder) / NAME, arguments.documents)
        figures = measure(Path(folder), queries, arguments)
    figures |= {"documents": arguments.documents, "limit": arguments.limit, "legs": len(LEGS)}
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def fill(path: Path, count: int) -> list[str]:
    """Build the collection. Return queries: the first words of some documents."""
    documents = []
    for document in read_stdlib_docstrings():
        documents.append(document)
        if len(documents) == count:
            break
    with Collection.create(path, CollectionConfig.parse({"legs": LEGS})) as collection:
        collection.add(documents)
        collection.merge()
    return [" ".join(document.text.split()[:6]) for document in documents[:: len(documents) // 100]]


class Server:
    """A `twindex serve` process, and one connection to it."""

    def __init__(self, root: Path, *options: str) -> None:
        command = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-c", command, "serve", str(root), "--port", "0", *options],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        found = None
        while not found:
            line = self.process.stderr.readline()
            if not line:
                raise SystemExit("the server did not start")
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        self.port = int(found[1])
        self.connection = HTTPConnection("127.0.0.1", self.port)
        while self.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.05)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.read()

    def cpu_seconds(self) -> float:
        """Processor seconds of all threads of a process so far, to the nanosecond (Linux)."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def close(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.wait()


def measure(
    root: Path, queries: Sequence[str], arguments: argparse.Namespace
) -> dict[str, float | int]:
    requests = [
        SearchRequest(query=query, limit=arguments.limit, include=tuple(arguments.include))
        for query in queries
    ]
    bodies = [request.model_dump_json(exclude_defaults=True).encode() for request in requests]
    server = Server(root)
    collection = Collection.open(root / NAME, read_only=True)
    collection.load()
    times: dict[str, list[float]] = {"ping": [], "http": [], "process": []}
    cpu: dict[str, list[float]] = {"ping": [], "http": [], "process": []}

    def timed(kind: str, calls: Sequence[Callable[[], object]], clock: Callable[[], float]) -> None:
        used = clock()
        for call in calls:
            began = time.perf_counter()
            call()
            times[kind].append(time.perf_counter() - began)
        cpu[kind].append((clock() - used) / len(calls))

    def search_http(body: bytes) -> None:
        status, reply = server.ask("POST", f"/v1/collections/{NAME}/search", body)
        assert status == 200, reply

    try:
        pairs = cycle(zip(requests, bodies, strict=True))
        for number in range(arguments.rounds + 1):
            chosen = [next(pairs) for _ in range(arguments.requests)]
            timed("ping", [lambda: server.ask("GET", "/livez")] * len(chosen), server.cpu_seconds)
            timed("http", [lambda b=b: search_http(b) for _, b in chosen], server.cpu_seconds)
            timed(
                "process", [lambda r=r: collection.search(r) for r, _ in chosen], time.process_time
            )
            if number == 0:  # Warms caches and kernels.
                for figures in (*times.values(), *cpu.values()):
                    figures.clear()
    finally:
        server.close()
        collection.close()
    return summarise(times, cpu)


def summarise(times: dict[str, list[float]], cpu: dict[str, list[float]]) -> dict[str, float | int]:
    figures: dict[str, float | int] = {"requests": len(times["http"])}
    for kind, values in times.items():
        figures[f"{kind}_p50_ms"] = round(statistics.median(values) * 1e3, 3)
        figures[f"{kind}_p95_ms"] = round(statistics.quantiles(values, n=20)[18] * 1e3, 3)
        figures[f"{kind}_cpu_us"] = round(statistics.median(cpu[kind]) * 1e6, 1)
    figures["added_p50_ms"] = round(figures["http_p50_ms"] - figures["process_p50_ms"], 3)
    figures["cpu_ratio"] = round(figures["http_cpu_us"] / figures["ping_cpu_us"], 2)
    added = figures["http_cpu_us"] - figures["process_cpu_us"]
    figures["added_cpu_ratio"] = round(added / figures["ping_cpu_us"], 2)
    return figures


def report(figures: dict[str, float | int]) -> None:
    print(f"{'':22}{'p50 ms':>9}{'p95 ms':>9}{'CPU us':>9}")
    rows = (
        ("ping over HTTP", "ping"),
        ("search over HTTP", "http"),
        ("search in process", "process"),
    )
    for title, kind in rows:
        p50, p95, cpu = (figures[f"{kind}_{unit}"] for unit in ("p50_ms", "p95_ms", "cpu_us"))
        print(f"{title:22}{p50:>9.3f}{p95:>9.3f}{cpu:>9.0f}")
    print(f"HTTP adds {figures['added_p50_ms']:.3f} ms at p50 (at most 3)")
    print(f"server CPU of a search / of a ping: {figures['cpu_ratio']:.2f}")
    print(f"the same without the search itself: {figures['added_cpu_ratio']:.2f} (at most 3)")


if __name__ == "__main__":
    if not os.path.exists("/proc/self/schedstat"):
        raise SystemExit("needs Linux: reads processor time from /proc")
    main()
