"""The server under load: clients at capacity, at 2 and 10 times capacity, and beside bulk writes.

The server and the driver (`common/load_driver.py`) run in processes of their own, each on a core of
its own. Encoders are fakes, except in the last phase. Phases:

1. clients: 1, 8 and 32 clients send searches, each as soon as its last one was answered; and the
   same searches in process, in one thread.
2. overload: searches are sent at 1, 2 and 10 times the rate that 32 clients reached, whether or not
   they are answered. A second after each, one client's searches show whether the server recovered.
3. bulk: 4 clients search, alone and beside 4 clients that write bulk bodies of 200 documents, with
   `bulk_share` 1 (writers never rest) and with its default.
4. tenants: a client of one API key searches: alone, beside 64 clients of another key, and beside
   64 clients of a key that may send `LIMITED` requests a minute.
5. batches: 1, 8 and 32 clients search by the default legs, whose models encode each query alone
   (`query_batch` 1) or together with others (the default). No query comes twice.

    python benchmarks/run.py load
    python benchmarks/service/load.py --seconds 5 --runs 1
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from rest import NAME, Server, fill

from twindex.search import Collection, SearchRequest
from twindex.sources import read_stdlib_docstrings

DRIVER = Path(__file__).parents[1] / "common" / "load_driver.py"
CLIENTS = (1, 8, 32)
TIMES = (1, 2, 10)
CONNECTIONS = 900
BATCHED = 200
"""Number of documents of the phase `batches`."""
LIMITED = 60
"""Requests a minute of the limited key of the phase `tenants`."""
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=20, help="of each phase but overload")
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument("--runs", type=int, default=5, help="of the phases `clients` and `tenants`")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("needs two processors: one for the server, one for the driver")
    os.sched_setaffinity(0, {cores[0]})  # The server inherits it.
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        queries = fill(root / NAME, arguments.documents)
        figures = {"documents": arguments.documents, "seconds": arguments.seconds}
        figures |= measure(root, queries, cores[-1], arguments)
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


class Driver:
    """Sends requests from another core."""

    def __init__(self, core: int, port: int, seconds: float) -> None:
        self.core, self.port, self.seconds = core, port, seconds

    def start(self, requests: Sequence[str], **more: Any) -> subprocess.Popen[str]:
        given = {"port": self.port, "requests": list(requests), "seconds": self.seconds}
        process = subprocess.Popen(
            ["taskset", "-c", str(self.core), sys.executable, str(DRIVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps({**given, "skip": 0.5, **more}))
        process.stdin.close()
        return process

    def end(self, process: subprocess.Popen[str]) -> Figures:
        assert process.stdout is not None
        found: Figures = json.loads(process.stdout.read())
        process.wait()
        return found

    def run(self, requests: Sequence[str], **more: Any) -> Figures:
        return self.end(self.start(requests, **more))


def http(path: str, body: str, kind: str = "application/json", key: str | None = None) -> str:
    named = "" if key is None else f"api-key: {key}\r\n"
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n{named}"
        f"content-length: {len(body.encode())}\r\n\r\n{body}"
    )


def searches(queries: Sequence[str], key: str | None = None) -> list[str]:
    path = f"/v1/collections/{NAME}/search"
    return [http(path, json.dumps({"query": query, "limit": 10}), key=key) for query in queries]


def bulks(queries: Sequence[str]) -> list[str]:
    """Bodies of 200 documents. Each body replaces the documents of an earlier one."""
    bodies = []
    for number in range(20):
        lines = (
            json.dumps({"id": f"new-{i}", "text": f"{queries[i % len(queries)]} {number} {i}"})
            for i in range(200)
        )
        path = f"/v1/collections/{NAME}/documents/bulk"
        bodies.append(http(path, "\n".join(lines), "application/x-ndjson"))
    return bodies


def middle(runs: Sequence[Figures]) -> Figures:
    """Return the run whose rate is the median."""
    order = sorted(runs, key=lambda one: float(one["ok"]["per_second"]))
    return order[len(order) // 2]


def measure(
    root: Path, queries: Sequence[str], core: int, arguments: argparse.Namespace
) -> Figures:
    figures: Figures = {"process": in_process(root / NAME, queries, arguments.seconds)}
    server = Server(root)
    driver = Driver(core, server.port, arguments.seconds)
    asked = searches(queries)
    try:
        driver.run(asked, clients=8, seconds=3)  # Warms caches and kernels.
        figures["clients"] = {
            str(count): middle([driver.run(asked, clients=count) for _ in range(arguments.runs)])
            for count in CLIENTS
        }
        capacity = figures["clients"]["32"]["ok"]["per_second"]
        figures["overload"] = {}
        for times in TIMES:
            before = resident_mb(server.process.pid)
            given = {"clients": CONNECTIONS, "seconds": arguments.overload_seconds}
            found = driver.run(asked, rate=times * capacity, **given)
            found["resident_mb"] = [before, resident_mb(server.process.pid)]
            time.sleep(1)
            found["recovered_p99_ms"] = driver.run(asked, clients=1, seconds=2, skip=0)["ok"][
                "p99_ms"
            ]
            figures["overload"][str(times)] = found
    finally:
        server.close()
    figures["bulk"] = {
        name: bulk(root, queries, core, arguments, *options)
        for name, options in {"1": ("--bulk-share", "1"), "default": ()}.items()
    }
    figures["tenants"] = tenants(root, queries, core, arguments)
    figures["batches"] = batches(core, arguments)
    return figures


def in_process(path: Path, queries: Sequence[str], seconds: float) -> Figures:
    requests = [SearchRequest(query=query, limit=10) for query in queries]
    times = []
    with Collection.open(path, read_only=True) as collection:
        for request in requests:
            collection.search(request)
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            collection.search(requests[len(times) % len(requests)])
            times.append(time.perf_counter() - began)
    cut = statistics.quantiles(times, n=100)
    return {
        "per_second": round(len(times) / seconds, 1),
        **{f"p{share}_ms": round(cut[share - 1] * 1e3, 2) for share in (50, 95, 99)},
    }


def bulk(
    root: Path, queries: Sequence[str], core: int, arguments: argparse.Namespace, *options: str
) -> Figures:
    server = Server(root, *options)
    driver = Driver(core, server.port, arguments.seconds)
    asked = searches(queries)
    try:
        driver.run(asked, clients=4, seconds=2)
        alone = driver.run(asked, clients=4)
        writing = driver.start(bulks(queries), clients=4, seconds=arguments.seconds + 2)
        time.sleep(1)
        beside = driver.run(asked, clients=4)
        written = driver.end(writing)
    finally:
        server.close()
    return {"alone": alone, "beside": beside, "written": written}


def tenants(
    root: Path, queries: Sequence[str], core: int, arguments: argparse.Namespace
) -> Figures:
    keys = [new_key(root, "one"), new_key(root, "flood")]
    keys.append(new_key(root, "limited", "--requests", str(LIMITED)))
    server = Server(root)
    driver = Driver(core, server.port, arguments.seconds)
    one, flood, limited = (searches(queries, key) for key in keys)
    found: dict[str, list[Figures]] = {"alone": [], "beside": [], "flood": [], "beside_limited": []}
    try:
        driver.run(one, clients=4, seconds=2)
        for _ in range(arguments.runs):
            found["alone"].append(driver.run(one, clients=1))
            flooding = driver.start(flood, clients=64, seconds=arguments.seconds + 2)
            time.sleep(1)
            found["beside"].append(driver.run(one, clients=1))
            found["flood"].append(driver.end(flooding))
            flooding = driver.start(limited, clients=64, seconds=arguments.seconds + 2)
            time.sleep(1)
            found["beside_limited"].append(driver.run(one, clients=1))
            driver.end(flooding)
    finally:
        server.close()
        (root / "keys.json").unlink(missing_ok=True)
    return {name: middle(runs) for name, runs in found.items()}


def batches(core: int, arguments: argparse.Namespace) -> Figures:
    """Rounds with the two settings, one after the other. Of each row, the run in the middle."""
    documents = list(islice(read_stdlib_docstrings(), 4_000))
    queries = list(dict.fromkeys(" ".join(one.text.split()[:8]) for one in documents))
    runs: dict[str, dict[str, list[Figures]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with Collection.create(root / NAME) as collection:
            collection.add(documents[:BATCHED])
            collection.merge()
        for _ in range(arguments.runs):
            for setting, options in {"1": ("--query-batch", "1"), "default": ()}.items():
                server = Server(root, *options)
                driver = Driver(core, server.port, arguments.seconds)
                left = iter(searches(queries))
                driver.run(list(islice(left, 100)), clients=8, seconds=2)
                for count in CLIENTS:
                    asked = list(islice(left, len(queries) // 4))
                    began = server.cpu_seconds()
                    found = driver.run(asked, clients=count)
                    answered = sum(found["statuses"].values())
                    found["cpu_ms"] = round((server.cpu_seconds() - began) / answered * 1e3, 1)
                    runs.setdefault(setting, {}).setdefault(str(count), []).append(found)
                server.close()
    return {
        setting: {count: middle(found) for count, found in by_count.items()}
        for setting, by_count in runs.items()
    }


def new_key(root: Path, name: str, *more: str) -> str:
    """Create an API key and return it. more: further options of `twindex keys create`."""
    command = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
    arguments = ["keys", "create", str(root), "--name", name, "--scope", "read", *more]
    made = subprocess.run(
        [sys.executable, "-c", command, *arguments], check=True, capture_output=True, text=True
    )
    return next(word for word in made.stdout.split() if len(word) > 30)


def resident_mb(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return round(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 1)


def report(figures: Figures) -> None:
    print("in process:", figures["process"])
    for count, found in figures["clients"].items():
        print(f"{count} clients:", found["ok"])
    for times, found in figures["overload"].items():
        print(f"{times} times capacity: accepted {found['ok']}, refused {found['refused']}")
        print(f"  statuses {found['statuses']}, MB {found['resident_mb']},", end=" ")
        print(f"p99 a second later {found['recovered_p99_ms']} ms")
    for share, found in figures["bulk"].items():
        print(f"bulk_share {share}: alone {found['alone']['ok']}, beside {found['beside']['ok']}")
        print(f"  bulk bodies {found['written']['ok']}")
    found = figures["tenants"]
    for name in ("alone", "beside", "beside_limited"):
        print(f"one tenant {name}:", found[name]["ok"], found[name]["statuses"])
    print("  the flood:", found["flood"]["ok"], found["flood"]["statuses"])
    for setting, by_count in figures["batches"].items():
        for count, found in by_count.items():
            print(
                f"query_batch {setting}, {count} clients:", found["ok"], found["cpu_ms"], "CPU ms"
            )


if __name__ == "__main__":
    main()
