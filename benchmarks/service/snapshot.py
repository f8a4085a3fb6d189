"""Searches and writes beside a snapshot, and whether the restored copy is the state of its commit.

The server runs in a process of its own. A writer replaces documents at a steady rate, and a driver
(`common/load_driver.py`) sends searches at a steady rate, whether or not they are answered. Each
round measures the searches first without and then with a snapshot through the REST interface. At
the end the last snapshot is restored: the copy must have all writes up to one moment during the
snapshot, and none after it.

    python benchmarks/run.py snapshot
    python benchmarks/service/snapshot.py --megabytes 100 --rounds 1 --seconds 8
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any

from load import DRIVER, middle, searches
from rest import NAME, Server

from twindex.index import CollectionConfig, LocalStore
from twindex.search import Collection

LEGS = {
    "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
    "lexical": {"kind": "lexical"},
}
CHARACTERS = 8_000
WRITTEN = 500
"""Documents that the writer replaces, in turn."""
Figures = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1_000, help="size of the collection")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20, help="of searches without a snapshot")
    parser.add_argument("--writes", type=int, default=50, help="a second")
    parser.add_argument("--searches", type=int, default=8, help="a second")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        figures = measure(Path(folder), arguments)
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def vocabulary() -> list[str]:
    """Long words, so that texts are large and quick to analyse."""
    chance = random.Random(5)
    return [f"{chance.getrandbits(400):0100x}" for _ in range(5_000)]


def documents(count: int) -> Iterator[dict[str, str]]:
    chance, words = random.Random(6), vocabulary()
    for number in range(count):
        text = " ".join(chance.choices(words, k=CHARACTERS // 101))
        yield {"id": f"d{number}", "text": f"{text} {number}"}


def fill(path: Path, megabytes: int) -> None:
    """Build the collection."""
    config = CollectionConfig.parse({"legs": LEGS, "passages": {"unit": "words", "size": 200}})
    with Collection.create(path, config) as collection:
        collection.add(documents(megabytes * 1_000_000 // (CHARACTERS + 700)))
        collection.merge()


class Writer(Thread):
    """Replaces documents at a steady rate on one connection. `acknowledged` is the last write."""

    def __init__(self, port: int, rate: int) -> None:
        super().__init__(daemon=True)
        self._port, self._rate = port, rate
        self.acknowledged = -1
        self.late = 0
        self.over = Event()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port)
        begun, number = time.perf_counter(), 0
        while not self.over.is_set():
            pause = begun + number / self._rate - time.perf_counter()
            if pause > 0:
                time.sleep(pause)
            elif pause < -1:
                self.late += 1
            path = f"/v1/collections/{NAME}/documents/w{number % WRITTEN}"
            body = json.dumps({"text": f"write {number}"})
            connection.request("PUT", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            assert response.status in (200, 201), response.status
            self.acknowledged = number
            number += 1
        connection.close()


def measure(root: Path, arguments: argparse.Namespace) -> Figures:
    path = root / "data" / NAME
    fill(path, arguments.megabytes)
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    print(f"{size / 1e6:.0f} MB", flush=True)
    server = Server(
        root / "data", "--snapshots", str(root / "backups"), "--snapshots-keep", "1"
    )  # fmt: skip
    writer = Writer(server.port, arguments.writes)
    asked = searches([f"{word} write" for word in vocabulary()[:200]])
    given = {"port": server.port, "requests": asked, "rate": arguments.searches, "clients": 64}
    given["skip"] = 1.0
    alone, beside, seconds = [], [], []
    try:
        drive(given, 3)
        writer.start()
        time.sleep(2)
        for _ in range(arguments.rounds):
            alone.append(drive(given, arguments.seconds))
            before = writer.acknowledged
            queued = ask(server, "POST", f"/v1/collections/{NAME}/snapshots")
            started = time.perf_counter()
            expected = size / (64 << 20)
            beside.append(drive(given, max(2.0, expected - 1)))
            job = finished(server, queued["id"])
            seconds.append(time.perf_counter() - started)
            after = writer.acknowledged
        writer.over.set()
        writer.join()
        body = json.dumps({"collection": NAME}).encode()
        queued = ask(server, "POST", "/v1/collections/copy/restore", body)
        finished(server, queued["id"])
    finally:
        server.close()
    problems = LocalStore.verify(root / "data" / "copy")
    copied = compare(root / "data" / "copy", before, after)
    shutil.rmtree(root / "data" / "copy")
    return {
        "megabytes": round(size / 1e6),
        "snapshot_megabytes": round(job["result"]["bytes"] / 1e6),
        "snapshot_seconds": sorted(seconds)[len(seconds) // 2],
        "writes_per_second": arguments.writes,
        "searches_per_second": arguments.searches,
        "rounds": arguments.rounds,
        "late_writes": writer.late,
        "alone": middle(alone),
        "beside": middle(beside),
        "p99_ratios": [
            b["ok"]["p99_ms"] / a["ok"]["p99_ms"] for a, b in zip(alone, beside, strict=True)
        ],
        "copy": {"writes": copied, "problems": problems},
    }


def drive(given: Figures, seconds: float) -> Figures:
    """Send searches for some seconds from another process."""
    done = subprocess.run(
        [sys.executable, str(DRIVER)],
        input=json.dumps({**given, "seconds": seconds}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: Figures = json.loads(done.stdout)
    return found


def ask(server: Server, method: str, path: str, body: bytes | None = None) -> Figures:
    """Ask on a new connection: the server closes connections that are idle for long."""
    server.connection.close()
    found: Figures = json.loads(server.ask(method, path, body)[1])
    return found


def finished(server: Server, job_id: str) -> Figures:
    while True:
        job = ask(server, "GET", f"/v1/jobs/{job_id}")
        if job["state"] in ("done", "failed"):
            assert job["state"] == "done", job
            return job
        time.sleep(0.1)


def compare(path: Path, before: int, after: int) -> int:
    """Return the number of writes that a copy has. It must have a prefix of all writes.

    before, after: the last acknowledged writes before and after the snapshot.
    """
    with Collection.open(path, read_only=True, verify="size") as collection:
        found = {}
        for number in range(WRITTEN):
            document = collection.get(f"w{number}")
            if document is not None:
                found[number] = int(document.text.split()[-1])
    latest = max(found.values())
    expected = {number % WRITTEN: number for number in range(latest + 1)}
    assert found == expected, "the copy has not the state of one commit"
    assert before <= latest <= after + 1, (before, latest, after)
    return latest + 1


def report(figures: Figures) -> None:
    print(f"{figures['snapshot_megabytes']} MB in {figures['snapshot_seconds']:.1f} s")
    print("searches without a snapshot:", figures["alone"]["ok"], figures["alone"]["statuses"])
    print("searches beside a snapshot: ", figures["beside"]["ok"], figures["beside"]["statuses"])
    print("ratios of p99:", [round(ratio, 2) for ratio in figures["p99_ratios"]])
    print("the copy:", figures["copy"])


if __name__ == "__main__":
    main()
