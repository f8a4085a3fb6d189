"""Searches a second with one worker and with two (`twindex serve --workers`).

1, 8 and 32 clients send searches, each as soon as its last one was answered. Servers with one and
with two workers take turns, each started anew; of each row, the run with the median rate is kept.
The server, its workers and the driver (`common/load_driver.py`) share all processors of the
machine, as clients on the same machine would. So a machine that does other work gives no meaningful
figures.

    python benchmarks/run.py workers
    python benchmarks/service/workers.py --seconds 5 --runs 1
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from load import CLIENTS, Figures, middle, searches
from load import Driver as PinnedDriver
from rest import LEGS, NAME, Server, fill

WORKERS = (1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        queries = fill(Path(folder) / NAME, arguments.documents)
        found = measure(Path(folder), searches(queries), arguments)
    figures = {
        "documents": arguments.documents,
        "legs": len(LEGS),
        "seconds": arguments.seconds,
        "runs": arguments.runs,
        "cores": len(os.sched_getaffinity(0)),
        "workers": found,
    }
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


class Driver(PinnedDriver):
    """Sends requests from any processor."""

    def __init__(self, port: int, seconds: float) -> None:
        super().__init__(0, port, seconds)
        cores = sorted(os.sched_getaffinity(0))
        self.core = ",".join(map(str, cores))


def measure(root: Path, asked: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return number of workers -> number of clients -> the run in the middle."""
    runs: dict[str, dict[str, list[Figures]]] = {}
    for number in range(arguments.runs):
        for workers in WORKERS if number % 2 == 0 else reversed(WORKERS):
            server = Server(root, "--workers", str(workers))
            driver = Driver(server.port, arguments.seconds)
            try:
                driver.run(asked, clients=8, seconds=3)  # Warms caches and kernels.
                for count in CLIENTS:
                    found = driver.run(asked, clients=count)
                    runs.setdefault(str(workers), {}).setdefault(str(count), []).append(found)
            finally:
                server.close()
    return {
        workers: {count: middle(found) for count, found in by_count.items()}
        for workers, by_count in runs.items()
    }


def report(figures: dict[str, Any]) -> None:
    for workers, by_count in figures["workers"].items():
        for count, found in by_count.items():
            print(f"{workers} workers, {count} clients:", found["ok"], found["statuses"])


if __name__ == "__main__":
    main()
