"""A real server under many more requests than it can serve."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from twindex.api.http.arrival.listener import listen

SEARCH = "/v1/collections/birds/search"
BODY = json.dumps({"query": "birds that cannot fly"})
HEADERS = {"Content-Type": "application/json"}


def resident_bytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A server with one search thread. Yields its port and its process id."""
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    code = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
    options = ["serve", str(tmp_path), "--port", str(port), "--threads", "1", "--queue", "4"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *options], env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    try:
        for _ in range(3_000):
            try:
                with closing(HTTPConnection("127.0.0.1", port)) as connection:
                    if ask(connection, "GET", "/readyz")[0] == 200:
                        break
            except OSError:
                pass
            time.sleep(0.02)
        config = {"legs": {"lexical": {"kind": "lexical"}}}
        lines = "\n".join(
            json.dumps({"id": str(i), "text": f"the bird number {i} cannot fly"})
            for i in range(900)
        )
        path = "/v1/collections/birds/documents/bulk"
        with closing(HTTPConnection("127.0.0.1", port)) as connection:
            assert ask(connection, "PUT", "/v1/collections/birds", json.dumps(config))[0] == 201
            assert ask(connection, "POST", path, lines, "application/x-ndjson")[0] == 200
        yield port, process.pid
    finally:
        process.kill()
        process.wait()


def ask(
    connection: HTTPConnection, method: str, path: str, body: str = "", kind: str = ""
) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": kind or "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


@pytest.mark.slow
def test_a_flood_gets_429_and_search_works_beside_and_after_it(server):
    port, process = server
    statuses: Counter[int] = Counter()
    end = time.monotonic() + 6

    def flood() -> None:
        with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            while time.monotonic() < end:
                status, body = ask(connection, "POST", SEARCH, BODY)
                statuses[status] += 1
                assert json.loads(body)["request_id"]

    threads = [threading.Thread(target=flood) for _ in range(40)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    before = resident_bytes(process)
    for thread in threads:
        thread.join(120)
    grown = resident_bytes(process) - before
    assert set(statuses) == {200, 429}, statuses
    assert grown < 64 << 20
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        assert ask(connection, "POST", SEARCH, BODY)[0] == 200
