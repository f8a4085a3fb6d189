"""If the server is killed during a write, no document is lost or written twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import twindex

DOCUMENTS = 3_000


class Serving:
    """A `twindex serve` process on one port, which can be killed and restarted."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.root = root
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "twindex.api.cli.main", "serve", str(self.root)]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    server = Serving(tmp_path)
    yield server
    server.kill()


@pytest.mark.slow
def test_write_survives_a_killed_server(serving: Serving) -> None:
    client = twindex.Client(f"http://127.0.0.1:{serving.port}", patience=120)
    collection = client.create("c", {"legs": {"lexical": {"kind": "lexical"}}})
    again: list[threading.Thread] = []

    def restart() -> None:
        serving.kill()
        time.sleep(0.5)
        serving.start()

    def documents() -> Iterator[dict[str, str]]:
        for number in range(DOCUMENTS):
            if number in (700, 1_900):  # During a batch or just before it.
                again.append(threading.Thread(target=restart))
                again[-1].start()
            yield {"id": f"d{number:05}", "text": f"document number {number}"}

    report = collection.add(documents())
    for thread in again:
        thread.join()
    assert len(again) == 2
    assert (report.documents + report.unchanged, report.replaced) == (DOCUMENTS, 0)
    assert [one.id for one in collection.scan()] == [f"d{n:05}" for n in range(DOCUMENTS)]
    assert collection.search("1234", limit=1).hits[0].id == "d01234"
    client.close()
