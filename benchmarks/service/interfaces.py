"""The interfaces of other services: throughput of embeddings, and processor time of each route.

The server runs in a process of its own, with a collection of short documents.

1. embeddings: the same texts are embedded through `/v1/embeddings` (float and base64) and by the
   same encoder in this process, in turns. Figures: texts a second and processor time a text, each
   as a ratio, which is the median over the rounds.
2. routes: requests of each interface and of the native route that does the same work, in turns.
   The figure is processor time of the server for a request.

    python benchmarks/run.py interfaces
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2

from twindex.encoders import DenseEncoderConfig, load_encoder

NAME = "notes"
WORDS = (
    "river", "stone", "winter", "garden", "letter", "window", "market", "silver", "morning",
    "bridge", "forest", "candle", "engine", "harbour", "copper", "valley", "thunder", "paper",
)  # fmt: skip
QUESTION = "Where is the silver bridge?"
MESSAGES = [{"role": "user", "content": QUESTION}]
CHAT = {"model": f"rag:{NAME}:extractive", "messages": MESSAGES}
ASKED = {"question": QUESTION, "generator": "extractive"}
RERANKED = {"query": QUESTION, "model": "fast"}
TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, Any]


def texts(count: int, words: int) -> list[str]:
    """Return texts of `words` words, the same in each call."""
    return [
        " ".join(WORDS[(i * 7 + j * (i % 5 + 1)) % len(WORDS)] for j in range(words))
        for i in range(count)
    ]


def routes() -> dict[str, tuple[str, tuple[str, Figures], tuple[str, Figures]]]:
    """Name -> (name of the native route, native request, request of the interface)."""
    answer = f"/v1/collections/{NAME}/answer"
    search = f"/v1/collections/{NAME}/search"
    documents = texts(20, 12)
    whole = (answer, ASKED)
    stream = (answer, {**ASKED, "stream": True})
    return {
        "/v1/chat/completions": ("answer", whole, ("/v1/chat/completions", CHAT)),
        "/v1/chat/completions, stream": (
            "answer, stream",
            stream,
            ("/v1/chat/completions", {**CHAT, "stream": True}),
        ),
        "/v1/responses": (
            "answer",
            whole,
            ("/v1/responses", {"model": CHAT["model"], "input": QUESTION}),
        ),
        "/v2/chat": ("answer", whole, ("/v2/chat", CHAT)),
        "/v2/chat, stream": ("answer, stream", stream, ("/v2/chat", {**CHAT, "stream": True})),
        "/v1/vector_stores/{id}/search": (
            "search",
            (search, {"query": QUESTION}),
            (f"/v1/vector_stores/{NAME}/search", {"query": QUESTION}),
        ),
        "/v2/rerank": (
            "rerank",
            ("/v1/rerank", {**RERANKED, "documents": documents}),
            ("/v2/rerank", {**RERANKED, "documents": documents}),
        ),
        "/rerank with texts": (
            "rerank",
            ("/v1/rerank", {**RERANKED, "documents": documents}),
            ("/rerank", {**RERANKED, "texts": documents}),
        ),
    }


class Server:
    """`twindex serve` with a collection and a reranker. client: sends requests to it."""

    def __init__(self, root: Path, model: str) -> None:
        (root / "data").mkdir()
        (root / "rerankers.toml").write_text('[rerankers.fast]\nkind = "fake"\n')
        command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(root / "data")]
        options = ["--port", "0", "--rerankers", str(root / "rerankers.toml")]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = None
        while found is None:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.process.stderr.readline())
        self.client = httpx2.Client(base_url=found[0], timeout=600, trust_env=False)
        while self.client.get("/readyz").status_code != 200:
            time.sleep(0.1)
        dense = {"kind": "dense", "encoder": {"kind": "dense", "model": model}}
        legs = {"dense": dense, "lexical": {"kind": "lexical"}}
        self.post(f"/v1/collections/{NAME}", {"legs": legs}, method="PUT")
        for i, text in enumerate(texts(200, 30)):
            path = f"/v1/collections/{NAME}/documents/{i}"
            self.post(path, {"title": f"Note {i}", "text": f"{text}."}, method="PUT")

    def post(self, path: str, body: Figures, method: str = "POST") -> bytes:
        """Send a request and return the reply. Raises SystemExit for an error."""
        reply = self.client.request(method, path, json=body)
        if reply.status_code >= 300:
            raise SystemExit(f"{path}: {reply.status_code} {reply.text}")
        return reply.content

    @property
    def seconds(self) -> float:
        """Return the processor time of the server so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def close(self) -> None:
        self.client.close()
        self.process.kill()
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--texts", type=int, default=256, help="texts in a request")
    parser.add_argument("--words", type=int, default=60, help="words in a text")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100, help="requests in a round of 2")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), arguments.model)
        try:
            given = texts(arguments.texts, arguments.words)
            embedded = embeddings(server, arguments.model, given, arguments.rounds)
            compared = compare(server, arguments.rounds, arguments.requests)
        finally:
            server.close()
    figures = {"embeddings": embedded, "routes": compared}
    print(json.dumps(figures, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


def embeddings(server: Server, model: str, given: list[str], rounds: int) -> Figures:
    """Compare `/v1/embeddings` with the encoder in this process, in turns."""
    encoder = load_encoder(DenseEncoderConfig(model=model))

    def own() -> float:
        began = time.process_time()
        encoder.encode(given, role="document")
        return time.process_time() - began

    def served(form: str) -> Callable[[], float]:
        body = {"model": f"{NAME}/dense", "input": given, "encoding_format": form}

        def run() -> float:
            began = server.seconds
            server.post("/v1/embeddings", body)
            return server.seconds - began

        return run

    ways = {"process": own, "float": served("float"), "base64": served("base64")}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            processor = way()
            if number:  # The first round warms up.
                times[name].append((time.perf_counter() - began, processor))
    found: Figures = {"model": model, "texts": len(given), "words": len(given[0].split())}
    for name, pairs in times.items():
        wall = [own[0] / one[0] for own, one in zip(times["process"], pairs, strict=True)]
        cpu = [own[1] / one[1] for own, one in zip(times["process"], pairs, strict=True)]
        found[name] = {
            "texts_per_second": len(given) / statistics.median(one[0] for one in pairs),
            "cpu_ms_per_text": statistics.median(one[1] for one in pairs) / len(given) * 1e3,
            "throughput_ratio": statistics.median(wall),
            "cpu_ratio": statistics.median(cpu),
        }
    return found


def compare(server: Server, rounds: int, requests: int) -> Figures:
    """Compare the processor time of each interface with that of its native route, in turns."""
    found: Figures = {}
    for name, (native, plain, other) in routes().items():
        times: dict[str, list[float]] = {"native": [], "other": []}
        for number in range(rounds + 1):
            for kind, (path, body) in {"native": plain, "other": other}.items():
                began = server.seconds
                for _ in range(requests):
                    server.post(path, body)
                if number:
                    times[kind].append((server.seconds - began) / requests * 1e3)
        own, its = (statistics.median(times[kind]) for kind in ("native", "other"))
        found[name] = {"native": native, "native_ms": own, "ms": its, "ratio": its / own}
    return found


if __name__ == "__main__":
    main()
