"""The processor time that traces (extra `otel`) add to a search of a server.

Three servers have copies of one collection: without traces, with the spans of every search, and
with those of a sample. A stand-in for a collector runs in this process; it counts spans and drops
them. Each round sends the same searches to each server in turn, over one kept-alive connection, and
then waits until spans are sent. The clock is the processor time (user and system) of the server's
process with all of its threads. So the sending counts, and other load on the machine hardly does.
Encoders are fakes, because the time of a model would hide the time of spans.

    python benchmarks/run.py traces
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rest import LEGS, NAME, Server, fill

DELAY = 1.0
"""Seconds after which a server sends spans that wait."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=15, help="at least 2")
    parser.add_argument("--requests", type=int, default=150, help="to each server in a round")
    parser.add_argument("--sampling", type=float, default=0.1, help="share of the sample")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = str(round(DELAY * 1e3))  # The servers inherit it.
    with tempfile.TemporaryDirectory() as folder, collecting() as collector:
        root = Path(folder) / "off"
        queries = fill(root / NAME, arguments.documents)
        for name in ("on", "sampled"):
            shutil.copytree(root, Path(folder) / name)
        figures = measure(Path(folder), queries, collector, arguments)
    figures |= {"documents": arguments.documents, "legs": len(LEGS)}
    report(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


class Collector(ThreadingHTTPServer):
    """Receives spans in OTLP and counts them."""

    daemon_threads = True
    spans = 0


class _Receive(BaseHTTPRequestHandler):
    server: Collector
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.spans += sum(len(scope.spans) for scope in group.scope_spans)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@contextmanager
def collecting() -> Iterator[Collector]:
    """Return a context in which a stand-in for a collector runs."""
    with Collector(("127.0.0.1", 0), _Receive) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def cpu_seconds(process: int) -> float:
    """Return the processor seconds of a process so far, also of threads that ended (Linux)."""
    return time.clock_gettime((~process << 3) | 2)


def measure(
    folder: Path, queries: Sequence[str], collector: Collector, arguments: argparse.Namespace
) -> dict[str, Any]:
    traces = ("--traces", f"http://127.0.0.1:{collector.server_port}")
    options = {
        "off": (),
        "on": traces,
        "sampled": (*traces, "--traces-sampling", str(arguments.sampling)),
    }
    servers = {name: Server(folder / name, *given) for name, given in options.items()}
    bodies = cycle(json.dumps({"query": query, "limit": 10}).encode() for query in queries)
    cpu: dict[str, list[float]] = {name: [] for name in servers}
    spans = dict.fromkeys(servers, 0)
    try:
        for number in range(arguments.rounds + 1):
            asked = [next(bodies) for _ in range(arguments.requests)]
            order = list(servers)
            for name in order[number % 3 :] + order[: number % 3]:
                server, before = servers[name], collector.spans
                began = cpu_seconds(server.process.pid)
                for body in asked:
                    status, reply = server.ask("POST", f"/v1/collections/{NAME}/search", body)
                    assert status == 200, reply
                time.sleep(1.5 * DELAY)
                used = cpu_seconds(server.process.pid) - began
                if number:  # The first round warms caches and kernels.
                    cpu[name].append(used / len(asked) * 1e3)
                    spans[name] += collector.spans - before
    finally:
        for server in servers.values():
            server.close()
    return summarise(cpu, spans, arguments)


def summarise(
    cpu: dict[str, list[float]], spans: dict[str, int], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return CPU milliseconds of a search, and the quartiles of what traces add in a round."""
    added = {
        name: statistics.quantiles([a - b for a, b in zip(cpu[name], cpu["off"], strict=True)], n=4)
        for name in ("on", "sampled")
    }
    sent = arguments.rounds * arguments.requests
    return {
        "rounds": arguments.rounds,
        "requests": arguments.requests,
        "sampling": arguments.sampling,
        "cpu_ms": {name: round(statistics.median(values), 3) for name, values in cpu.items()},
        "added_ms": {name: [round(one, 3) for one in cut] for name, cut in added.items()},
        "spans_per_search": {name: round(count / sent, 2) for name, count in spans.items()},
    }


def report(figures: dict[str, Any]) -> None:
    for name, value in figures["cpu_ms"].items():
        added = figures["added_ms"].get(name)
        more = "" if added is None else f", {added} ms more than off (quartiles)"
        print(f"traces {name}: {value:.3f} CPU ms a search{more},", end=" ")
        print(f"{figures['spans_per_search'][name]} spans a search")


if __name__ == "__main__":
    main()
