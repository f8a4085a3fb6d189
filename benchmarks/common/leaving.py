"""Clients that leave a server while a language model works for them.

The server has one thread for answers and one for searches with a rewriter. A client sends a
request, and closes its connection while the model works. At once, another client sends a request
that needs no model, but the same thread. What its reply takes longer than on an idle server is the
time until the thread is free. Afterwards, the processor time of the server is counted until the
server rests: the work of the model for a client that has left.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from service.rest import Server

from twindex.index import CollectionConfig
from twindex.search import Collection

NAME = "papers"
PATH = f"/v1/collections/{NAME}"
BEGUN = 1.5
"""Seconds after which the model of a request without a stream works."""
RESTED, SLICE = 0.2, 0.25
"""A server rests if it takes less than this share of a processor for so many seconds."""
MOST = 120.0
"""Seconds to wait for a server to rest."""
IDLE = 20
"""Requests that tell the time of a reply on an idle server."""


def fill(root: Path, model: str, texts: Sequence[str]) -> list[str]:
    """Make a collection and the files of models. Return the options of the server."""
    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with Collection.create(root / "data" / NAME, config) as collection:
        collection.add([{"id": str(n), "text": text} for n, text in enumerate(texts)])
    files = {
        "rewriters": f'[rewriters.slow]\nkind = "hyde"\ntexts = 4\nllm = {{model = "{model}"}}\n',
        "rerankers": '[rerankers.quick]\nkind = "fake"\n',
        "generators": f'[generators.slow]\nkind = "language_model"\nllm = {{model = "{model}"}}\n',
    }
    options = ["--rerank-threads", "1", "--answer-threads", "1"]
    for name, text in files.items():
        (root / f"{name}.toml").write_text(text)
        options += [f"--{name}", str(root / f"{name}.toml")]
    return options


class Leaver:
    """A client that sends a request and leaves."""

    def __init__(self, port: int, path: str, body: dict[str, Any]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=MOST)
        raw = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        self._socket.sendall(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)

    def until(self, wanted: bytes) -> None:
        received = b""
        while wanted not in received:
            piece = self._socket.recv(65_536)
            if not piece:
                raise SystemExit(f"the server closed the connection: {received!r}")
            received += piece

    def leave(self) -> None:
        self._socket.close()


def total_seconds(server: Server) -> float:
    """Processor seconds of a process so far, those of ended threads included (Linux)."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rest(server: Server) -> None:
    """Wait until a server rests."""
    began = time.perf_counter()
    while time.perf_counter() < began + MOST:
        used = total_seconds(server)
        time.sleep(SLICE)
        if total_seconds(server) - used < RESTED * SLICE:
            return


def measured(
    server: Server, kind: str, questions: Sequence[str], probe: tuple[str, dict[str, Any]]
) -> dict[str, Any]:
    """The figures of one kind of request. probe: path and body of the other client's request."""
    path, raw = probe[0], json.dumps(probe[1]).encode()

    def reply() -> float:
        began = time.perf_counter()
        status, body = server.ask("POST", path, raw)
        if status != 200:
            raise SystemExit(f"{path}: {status} {body!r}")
        return (time.perf_counter() - began) * 1e3

    idle = median([reply() for _ in range(IDLE)])
    freed, spent = [], []
    for question in questions:
        if kind == "search with a rewriter":
            body: dict[str, Any] = {"query": question, "rewrite": {"model": "slow"}}
            leaver = Leaver(server.port, f"{PATH}/search", body)
            time.sleep(BEGUN)
        else:
            stream = kind == "stream of an answer"
            body = {"question": question, "generator": "slow", "stream": stream}
            leaver = Leaver(server.port, f"{PATH}/answer", body)
            if stream:
                leaver.until(b"event: token")
            else:
                time.sleep(BEGUN)
        used = total_seconds(server)
        leaver.leave()
        freed.append(reply() - idle)
        rest(server)
        spent.append(total_seconds(server) - used)
    return {
        "kind": kind, "clients": len(questions), "idle_ms": idle, "median_ms": median(freed),
        "most_ms": max(freed), "cpu_s": median(spent), "most_cpu_s": max(spent),
    }  # fmt: skip


def leaving(model: str, texts: Sequence[str], questions: Sequence[str]) -> list[dict[str, Any]]:
    """The figures of each kind of request, on a server in a process of its own."""
    search = f"{PATH}/search", {"query": questions[0], "rerank": {"model": "quick"}}
    answer = f"{PATH}/answer", {"question": questions[0], "generator": "extractive"}
    with TemporaryDirectory() as folder:
        root = Path(folder)
        options = fill(root, model, texts)
        server = Server(root / "data", *options)
        try:
            warm = {"query": "warm", "rewrite": {"model": "slow", "limits": {"calls": 1}}}
            server.ask("POST", f"{PATH}/search", json.dumps(warm).encode())
            rest(server)
            return [
                measured(server, "stream of an answer", questions, answer),
                measured(server, "plain answer", questions, answer),
                measured(server, "search with a rewriter", questions, search),
            ]
        finally:
            server.close()
