"""A real server process with collections, rerankers and generators, and the official clients."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

KEY = "secret"

RERANKERS = '[rerankers.fast]\nkind = "fake"\n'

WORDS = 400
"""Number of words that the generator `slow` writes."""

GENERATORS = f"""
[generators.fake]
kind = "fake"

[generators.slow]
kind = "fake"
text = "{" ".join(f"word{n}" for n in range(WORDS))}"
milliseconds = 50

[generators.bad]
kind = "fake"
text = "One two three."
fails_at = 1
"""

DENSE = {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}}
SHORT = {"kind": "dense", "model": "fake", "max_length": 8}
COLLECTIONS: dict[str, Any] = {
    "birds": {
        "legs": {
            "dense": DENSE,
            "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
            "lexical": {"kind": "lexical"},
        }
    },
    "small": {
        "legs": {
            "dense": {
                "kind": "dense",
                "encoder": SHORT,
                "projection": {"kind": "matryoshka", "dimensions": 16},
            }
        }
    },
}
"""Name -> configuration. The dense encoders have the same name and other options."""

BIRDS = {
    "kiwi": {
        "title": "Kiwi",
        "text": "The kiwi cannot fly. It lives in New Zealand.",
        "metadata": {"url": "https://birds.example/kiwi"},
    },
    "emu": {"title": "Emu", "text": "The emu runs and cannot fly. It lives in Australia."},
    "swift": {"title": "Swift", "text": "Swifts fly while they sleep."},
}


@dataclass
class Process:
    """A server process.

    url:  its address.
    http: a client without an official package.
    root: folder of its collections.
    """

    process: subprocess.Popen[str]
    url: str
    http: httpx.Client
    root: Path
    log: list[str] = field(default_factory=list)

    def metrics(self) -> str:
        return self.http.get("/metrics").text


def launch(root: Path, port: int = 0, **variables: str) -> Process:
    """Start `twindex serve`, and wait until it is ready. port: 0 for a free one."""
    command = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
    arguments = [sys.executable, "-c", command, "serve", str(root), "--port", str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TWINDEX_API_KEY": KEY, **variables}
    process = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    log: list[str] = []
    found = None
    while not found:
        line = process.stderr.readline()
        assert line, "".join(log)
        log.append(line)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
    stderr = process.stderr
    threading.Thread(target=lambda: log.extend(stderr), daemon=True).start()
    headers = {"authorization": f"Bearer {KEY}"}
    client = httpx.Client(base_url=found.group(), timeout=120, headers=headers)
    for _ in range(6_000):
        if client.get("/readyz").status_code == 200:
            return Process(process, found.group(), client, root, log)
        time.sleep(0.05)
    raise AssertionError("".join(log))


def end(server: Process) -> None:
    server.http.close()
    server.process.terminate()
    server.process.wait(60)
    assert server.process.stderr is not None
    server.process.stderr.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server with the collections `birds` and `small`, one thread for answers, and a key."""
    root = tmp_path_factory.mktemp("compat")
    (root / "rerankers.toml").write_text(RERANKERS)
    (root / "generators.toml").write_text(GENERATORS)
    (root / "data").mkdir()
    started = launch(
        root / "data",
        TWINDEX_RERANKERS=str(root / "rerankers.toml"),
        TWINDEX_GENERATORS=str(root / "generators.toml"),
        TWINDEX_ANSWER_THREADS="1",
        TWINDEX_EMBED_THREADS="1",
        TWINDEX_EMBED_QUEUE="0",
        TWINDEX_QUERY_CHARS="20000",
        TWINDEX_MAX_BODY_BYTES="1000000",
    )
    try:
        for name, config in COLLECTIONS.items():
            path = f"/v1/collections/{name}"
            assert started.http.put(path, json=config).status_code == 201
        for name, bird in BIRDS.items():
            path = f"/v1/collections/birds/documents/{name}"
            assert started.http.put(path, json=bird).status_code == 201
        yield started
    finally:
        end(started)


@pytest.fixture(scope="session")
def openai(server: Process) -> Iterator[Any]:
    """OpenAI's client for the server. It sends no request again."""
    # The client reads `httpx` when it closes a stream, so that must not be half imported by Cohere.
    with suppress(ImportError):
        importlib.import_module("httpx")
    package = pytest.importorskip("openai", reason="openai is not installed")
    with package.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@contextmanager
def cohere_client(url: str, key: str = KEY) -> Iterator[Any]:
    """Cohere's client. It does not close its connections itself."""
    package = pytest.importorskip("cohere", reason="cohere is not installed")
    import httpx as older

    with older.Client(timeout=120) as connections:
        yield package.ClientV2(api_key=key, base_url=url, max_retries=0, httpx_client=connections)


@pytest.fixture(scope="session")
def cohere(server: Process) -> Iterator[Any]:
    """Cohere's client for the server."""
    with cohere_client(server.url) as client:
        yield client
