"""The interfaces of other services: throughput of embeddings, and processor time of each route.

The server runs in a process of its own, with a collection of some thousand short documents.

1. embeddings: the same texts are embedded through `/v1/embeddings` (float and base64) and by the
   same encoder in this process, in turns. Figures: texts a second and processor time a text, each
   as a ratio, which is the median over the rounds.
2. routes: requests of each interface and of the native route that does the same work, in turns.
   The figure is processor time of the server for a request. `/v1/embeddings` is the native route of
   the other embeddings. The tools of MCP are called over HTTP as assistants do, without a session.

    python benchmarks/run.py interfaces
"""

from __future__ import annotations

import argparse
import json
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
MODEL = f"rag:{NAME}:extractive"
LEG = f"{NAME}/dense"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": QUESTION}]}
ASKED = {"question": QUESTION, "generator": "extractive"}
RERANKED = {"query": QUESTION, "model": "fast"}

Figures = dict[str, Any]
Request = tuple[str, str, Figures | None]
"""Method, path and body of a request."""


def texts(count: int, words: int) -> list[str]:
    """Return texts of `words` words, the same in each call."""
    return [
        " ".join(WORDS[(i * 7 + j * (i % 5 + 1)) % len(WORDS)] for j in range(words))
        for i in range(count)
    ]


def post(path: str, **body: Any) -> Request:
    return "POST", path, body


def tool(name: str, **arguments: Any) -> Request:
    """Return the request by which an assistant calls a tool."""
    call = {"name": name, "arguments": arguments}
    return post("/mcp", jsonrpc="2.0", id=1, method="tools/call", params=call)


def routes() -> dict[str, tuple[str, Request, Request]]:
    """Name -> (name of the native route, native request, request of the interface)."""
    own = f"/v1/collections/{NAME}"
    documents = texts(20, 12)
    answer, stream = post(f"{own}/answer", **ASKED), post(f"{own}/answer", **ASKED, stream=True)
    search = post(f"{own}/search", query=QUESTION)
    rerank = post("/v1/rerank", **RERANKED, documents=documents)
    read: Request = ("GET", f"{own}/documents/7", None)
    embeddings = post("/v1/embeddings", model=LEG, input=documents[:1])
    cohere = post("/v2/embed", model=LEG, texts=documents[:1], input_type="search_document")
    chat, other = "/v1/chat/completions", "/v2/chat"
    return {
        chat: ("answer", answer, post(chat, **CHAT)),
        f"{chat}, stream": ("answer, stream", stream, post(chat, **CHAT, stream=True)),
        "/v1/responses": ("answer", answer, post("/v1/responses", model=MODEL, input=QUESTION)),
        other: ("answer", answer, post(other, **CHAT)),
        f"{other}, stream": ("answer, stream", stream, post(other, **CHAT, stream=True)),
        "/v1/vector_stores/{id}/search": (
            "search",
            search,
            post(f"/v1/vector_stores/{NAME}/search", query=QUESTION),
        ),
        "/v2/rerank": ("rerank", rerank, post("/v2/rerank", **RERANKED, documents=documents)),
        "/rerank with texts": ("rerank", rerank, post("/rerank", **RERANKED, texts=documents)),
        "/v2/embed": ("embeddings", embeddings, cohere),
        "/embed": ("embeddings", embeddings, post("/embed", inputs=documents[:1])),
        "/mcp, search": ("search", search, tool("search", query=QUESTION)),
        "/mcp, fetch": ("document", read, tool("fetch", id=f"{NAME}/7")),
        "/mcp, answer": ("answer", answer, tool("answer", question=QUESTION)),
    }


class Server:
    """`twindex serve` with a collection and a reranker. client: sends requests to it."""

    def __init__(self, root: Path, model: str, documents: int) -> None:
        (root / "data").mkdir()
        (root / "rerankers.toml").write_text('[rerankers.fast]\nkind = "fake"\n')
        command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(root / "data")]
        options = ["--port", "0", "--rerankers", str(root / "rerankers.toml")]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        found = None
        while found is None:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.process.stderr.readline())
        accepted = {"accept": "application/json, text/event-stream"}  # As MCP requires.
        self.client = httpx2.Client(
            base_url=found[0], timeout=600, trust_env=False, headers=accepted
        )
        while self.client.get("/readyz").status_code != 200:
            time.sleep(0.1)
        dense = {"kind": "dense", "encoder": {"kind": "dense", "model": model}}
        legs = {"dense": dense, "lexical": {"kind": "lexical"}}
        self.send(("PUT", f"/v1/collections/{NAME}", {"legs": legs}))
        lines = [
            json.dumps({"id": str(i), "title": f"Note {i}", "text": f"{text}."})
            for i, text in enumerate(texts(documents, 30))
        ]
        for first in range(0, documents, 500):  # A larger body would become a job.
            reply = self.client.post(
                f"/v1/collections/{NAME}/documents/bulk",
                content="\n".join(lines[first : first + 500]),
                headers={"content-type": "application/x-ndjson"},
            )
            reply.raise_for_status()
        self.send(("POST", f"/v1/collections/{NAME}/merge", None))
        while any(
            job["state"] in ("queued", "running")
            for job in self.client.get("/v1/jobs").json()["jobs"]
        ):
            time.sleep(0.1)

    def send(self, request: Request) -> bytes:
        """Send a request and return the reply. Raises SystemExit for an error."""
        method, path, body = request
        reply = self.client.request(method, path, json=body)
        if reply.status_code >= 300 or b'"isError":true' in reply.content:
            raise SystemExit(f"{path}: {reply.status_code} {reply.text}")
        return reply.content

    @property
    def seconds(self) -> float:
        """Return the processor time of the server's threads so far, to the nanosecond."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in tasks) / 1e9

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
    parser.add_argument("--documents", type=int, default=3_000)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), arguments.model, arguments.documents)
        try:
            given = texts(arguments.texts, arguments.words)
            embedded = embeddings(server, arguments.model, given, arguments.rounds)
            compared = compare(server, arguments.rounds, arguments.requests)
        finally:
            server.close()
    figures = {"documents": arguments.documents, "embeddings": embedded, "routes": compared}
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
            server.send(post("/v1/embeddings", **body))
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
            for kind, request in {"native": plain, "other": other}.items():
                began = server.seconds
                for _ in range(requests):
                    server.send(request)
                if number:
                    times[kind].append((server.seconds - began) / requests * 1e3)
        own, its = (statistics.median(times[kind]) for kind in ("native", "other"))
        found[name] = {"native": native, "native_ms": own, "ms": its, "ratio": its / own}
    return found


if __name__ == "__main__":
    main()
