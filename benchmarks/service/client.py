"""The Python client: speed, memory, and writing to a server that is killed.

The server and each client run in processes of their own. A generator makes short documents, so no
list of them is in memory. They are written to lexical collections:

1. streamed: `Client` writes all documents. Figures: documents a second, and peak memory early and
   at the end.
2. compared: the client and a plain httpx2 loop post the same batches in turns. The figure is
   processor time. The time of the generator is measured separately and subtracted from both.
3. killed: the server is killed (SIGKILL) while documents stream in. Afterwards every document must
   be stored exactly once.

    python benchmarks/run.py client
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2

import twindex
from twindex.core.memory import peak_bytes

CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}
BATCH = 500
"""Documents in a request, as many as the client sends."""
PATIENCE = 120.0
"""Seconds that the client waits for a server that is away."""
WORDS = (
    "river", "stone", "winter", "garden", "letter", "window", "market", "silver", "morning",
    "bridge", "forest", "candle", "engine", "harbour", "copper", "valley", "thunder", "paper",
    "island", "mirror",
)  # fmt: skip

Documents = Iterator[dict[str, str]]
Figures = dict[str, Any]
_SPAWN = multiprocessing.get_context("spawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--compared", type=int, default=20_000, help="documents in a round of 2")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of 2")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="seed for the times of the kills")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            streamed = in_process(stream, server.url, "streamed", arguments.documents)
            compared = compare(server.url, arguments.compared, arguments.rounds)
            killed = stream_and_kill(server, arguments.documents, arguments.kills, arguments.seed)
        finally:
            server.kill()
    killed["lost_seconds"] = round(killed["seconds"] - streamed["seconds"], 1)
    figures = {"streamed": streamed, "compared": compared, "killed": killed}
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    if not killed["exactly_once"]:
        raise SystemExit("documents are missing or doubled")


def documents(count: int, yielded: Any = None) -> Documents:
    """Yield documents of about 12 words, the same in each call. yielded: counts them."""
    for number in range(count):
        words = [WORDS[number * step % len(WORDS)] for step in range(1, 12)]
        yield {"id": f"d{number:07}", "title": f"Note {number}", "text": " ".join(words)}
        if yielded is not None:
            yielded.value = number + 1


class Server:
    """A `twindex serve` process on one port, which can be killed and started again."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._root = root
        self.url = f"http://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Start the server. Returns when it is ready."""
        command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(self._root)]
        self._process = subprocess.Popen(
            [*command, "--port", str(self._port)], stderr=subprocess.DEVNULL
        )
        while not self._ready():
            if self._process.poll() is not None:
                raise SystemExit("the server did not start")
            time.sleep(0.02)

    def _ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


class Apart:
    """A function that runs in a new process. `result` waits for its return value."""

    def __init__(self, work: Callable[..., Any], *arguments: Any) -> None:
        self._received, sent = _SPAWN.Pipe(duplex=False)
        self._process = _SPAWN.Process(target=_answer, args=(sent, work, *arguments))
        self._process.start()
        sent.close()

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    def result(self) -> Any:
        try:
            return self._received.recv()
        except EOFError:
            raise SystemExit("a client failed") from None
        finally:
            self._process.join()


def _answer(sent: Any, work: Callable[..., Any], *arguments: Any) -> None:
    sent.send(work(*arguments))


def in_process(work: Callable[..., Any], *arguments: Any) -> Any:
    return Apart(work, *arguments).result()


def peak_mb() -> float:
    """Peak memory of this process so far, in MB."""
    return round(peak_bytes() / (1 << 20), 1)


def stream(url: str, name: str, count: int, yielded: Any = None) -> Figures:
    """Write `count` documents with the client. Its memory is read after 10 % and at the end."""
    early = 0.0

    def watched() -> Documents:
        nonlocal early
        for number, document in enumerate(documents(count, yielded)):
            yield document
            if number == count // 10:
                early = peak_mb()

    with twindex.Client(url, patience=PATIENCE) as client:
        collection = client.create(name, CONFIG)
        began = time.perf_counter()
        written = collection.add(watched())
        seconds = time.perf_counter() - began
    return {
        "documents": count,
        "seconds": round(seconds, 1),
        "documents_per_second": round(count / seconds),
        "peak_mb_early": early,
        "peak_mb": peak_mb(),
        "written": written.documents,
        "replaced": written.replaced,
        "unchanged": written.unchanged,
    }


def client_cpu(url: str, name: str, count: int) -> float:
    """Processor seconds of `Client.add`."""
    with twindex.Client(url, patience=PATIENCE) as client:
        collection = client.create(name, CONFIG)
        began = time.process_time()
        collection.add(documents(count))
        return time.process_time() - began


def plain_cpu(url: str, name: str, count: int) -> float:
    """Processor seconds of a loop that posts the same batches and does nothing else."""
    path = f"/v1/collections/{name}"
    headers = {"Content-Type": "application/x-ndjson"}
    with httpx2.Client(base_url=url, timeout=60, trust_env=False) as client:
        client.put(path, json=CONFIG).raise_for_status()
        began = time.process_time()
        source = documents(count)
        while batch := list(islice(source, BATCH)):
            lines = "".join(json.dumps(document) + "\n" for document in batch)
            reply = client.post(f"{path}/documents/bulk", content=lines, headers=headers)
            reply.raise_for_status()
            if reply.json()["errors"]:
                raise SystemExit("the service refused a document")
        return time.process_time() - began


def generator_cpu(count: int) -> float:
    """Processor seconds of making the documents."""
    began = time.process_time()
    for _ in documents(count):
        pass
    return time.process_time() - began


def compare(url: str, count: int, rounds: int) -> Figures:
    """Median processor time of a document, in microseconds, of the client and of the plain loop."""
    times: dict[str, list[float]] = {"client": [], "plain": [], "generator": []}
    for number in range(rounds):
        times["client"].append(in_process(client_cpu, url, f"client-{number}", count))
        times["plain"].append(in_process(plain_cpu, url, f"plain-{number}", count))
        times["generator"].append(in_process(generator_cpu, count))
    made = statistics.median(times.pop("generator")) / count * 1e6
    figures = {kind: statistics.median(own) / count * 1e6 - made for kind, own in times.items()}
    return {
        "documents": count,
        "rounds": rounds,
        "generator_us": round(made, 1),
        "client_us": round(figures["client"], 1),
        "plain_us": round(figures["plain"], 1),
        "cpu_ratio": round(figures["client"] / figures["plain"], 2),
    }


def stream_and_kill(server: Server, count: int, kills: int, seed: int) -> Figures:
    """Write documents while the server is killed and started again, and check what is stored."""
    moments = random.Random(seed)
    yielded = _SPAWN.Value("q", 0, lock=False)
    client = Apart(stream, server.url, "killed", count, yielded)
    down = []
    for number in range(1, kills + 1):
        while yielded.value < count * number // (kills + 1) and client.running:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.1))  # At any point of a batch, not only at its start.
        if not client.running:
            break
        began = time.perf_counter()
        server.kill()
        server.start()
        down.append(round(time.perf_counter() - began, 1))
    figures = client.result()
    stored = in_process(check, server.url, "killed", count)
    accepted = figures["written"] + figures["unchanged"]
    once = stored["count"] == count == accepted and stored["as_sent"] and not figures["replaced"]
    return {**figures, "kills": len(down), "down_seconds": down, **stored, "exactly_once": once}


def check(url: str, name: str, count: int) -> Figures:
    """Read all documents back and compare their ids and texts with those that were sent."""
    with twindex.Client(url, patience=PATIENCE) as client:
        collection = client.open(name)
        same, missing = 0, object()
        found = ((one.id, one.text) for one in collection.scan())
        for document in documents(count):
            same += next(found, missing) == (document["id"], document["text"])
        as_sent = same == count and next(found, missing) is missing
        return {"count": collection.count(), "as_sent": as_sent}


def report(figures: dict[str, Figures]) -> None:
    streamed, compared, killed = figures["streamed"], figures["compared"], figures["killed"]
    print(f"{streamed['documents']:,} documents in {streamed['seconds']} s:", end=" ")
    print(f"{streamed['documents_per_second']:,} documents/s")
    early, peak = streamed["peak_mb_early"], streamed["peak_mb"]
    print(f"peak memory of the client: {early} MB after a tenth, {peak} MB at the end")
    print(f"client CPU: {compared['client_us']} us a document,", end=" ")
    print(f"plain loop {compared['plain_us']} us: {compared['cpu_ratio']} times")
    down = " + ".join(str(seconds) for seconds in killed["down_seconds"])
    print(f"server killed {killed['kills']} times: {killed['seconds']} s,", end=" ")
    print(f"{killed['lost_seconds']} s more (the server was down {down} s)")
    print(f"sent again: {killed['unchanged']} documents that were stored already")
    print(f"every document stored exactly once: {killed['exactly_once']}")


if __name__ == "__main__":
    if not os.path.exists("/proc/self/status"):
        raise SystemExit("needs Linux: reads the memory of processes from /proc")
    main()
