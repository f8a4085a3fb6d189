"""Workers that end, cannot start, or are stopped. No acknowledged write is lost."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from tempfile import TemporaryDirectory

import pytest

from .conftest import BIRDS, COMMAND, LEXICAL, NDJSON, total

SEARCH = f"{BIRDS}/search"


def serve_fails(*options: str) -> tuple[int, str]:
    """Return the exit status and the log of a server that cannot start. It leaves no files."""
    with TemporaryDirectory(dir="/tmp") as folder:
        command = [sys.executable, "-c", COMMAND, "serve", *options]
        variables = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, capture_output=True, timeout=120, env=variables)
        assert os.listdir(folder) == []
    return done.returncode, done.stderr.decode()


@pytest.mark.slow
def test_a_worker_that_cannot_start_stops_the_server(tmp_path):
    file = tmp_path / "rerankers.toml"
    file.write_text("[rerankers.fast]\nkind = 'unknown'\n")
    options = (str(tmp_path), "--port", "0", "--workers", "2", "--rerankers", str(file))
    status, log = serve_fails(*options)
    assert (status, log.count("rerankers.toml"), "Traceback" in log) == (2, 1, False), log
    assert "worker 1 could not start (status 2); the server stops" in log


def test_a_port_in_use_is_named_before_workers_start(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, log = serve_fails(str(tmp_path), "--port", port, "--workers", "2")
    assert (status, len(log.splitlines())) == (2, 1), log
    assert f"127.0.0.1:{port}" in log


class Load:
    """Clients that search, each request on a new connection, and count the statuses."""

    def __init__(self, server, clients: int = 3) -> None:
        self.statuses: Counter[object] = Counter()
        self._server = server
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._search) for _ in range(clients)]
        for thread in self._threads:
            thread.start()

    def _search(self) -> None:
        while not self._ended.is_set():
            try:
                status = self._server.call("POST", SEARCH, {"query": "bird"})[0]
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            self.statuses[status] += 1

    def end(self) -> Counter[object]:
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
        return self.statuses


@pytest.mark.slow
def test_other_workers_go_on_when_a_reader_is_killed(start):
    server = start()
    server.call("PUT", BIRDS, LEXICAL)
    server.call("PUT", f"{BIRDS}/documents/a", {"text": "a bird"})
    load = Load(server)
    for turn in range(2):
        pid = server.pids()[2]
        time.sleep(1)
        os.kill(pid, signal.SIGKILL)
        server.logged(r"worker 2 ended \(SIGKILL\)", times=turn + 1)
        for n in range(10):  # Writes and reads go on.
            assert server.call("PUT", f"{BIRDS}/documents/w{turn}-{n}", {"text": "bird"})[0] == 201
        until = time.monotonic() + 60
        while server.call("GET", "/readyz")[1]["workers"]["2"] != "ready":
            assert time.monotonic() < until
            assert server.call("GET", "/readyz")[0] == 200
            time.sleep(0.05)
    before = sum(load.statuses.values())
    time.sleep(1)
    statuses = load.end()
    assert sum(statuses.values()) > before
    # Only connections of the killed worker broke.
    broken = sum(n for status, n in statuses.items() if status != 200)
    assert broken <= 2 * 3, statuses
    text = server.call("GET", "/metrics")[1]
    assert total(text, 'twindex_worker_restarts_total{worker="2"}') == 2
    # Counts of the killed processes are kept.
    counted = total(text, "twindex_search_seconds_count")
    assert abs(counted - statuses[200]) <= 2 * 3
    assert server.documents() == 21
    assert server.stop() == -signal.SIGTERM


@pytest.mark.slow
def test_no_acknowledged_write_is_lost_when_the_writer_is_killed(start):
    server = start()
    server.call("PUT", BIRDS, LEXICAL)
    acknowledged: set[str] = set()
    failed: Counter[object] = Counter()
    ended = threading.Event()

    def write(client: int) -> None:
        """Send bulk bodies, and repeat each with the same key until it is acknowledged."""
        n = 0
        while not ended.is_set():
            ids = [f"c{client}-{n}-{i}" for i in range(50)]
            body = "".join(json.dumps({"id": i, "text": "a bird"}) + "\n" for i in ids).encode()
            headers = {**NDJSON, "idempotency-key": f"{client}-{n}"}
            while True:
                try:
                    status, reply, _ = server.call("POST", f"{BIRDS}/documents/bulk", body, headers)
                except (OSError, http.client.HTTPException) as error:
                    failed[type(error).__name__] += 1
                    continue
                if status == 200:
                    assert reply["written"] + reply["unchanged"] == 50
                    break
                failed[status] += 1
                assert status in (409, 503), reply
                assert status == 409 or reply["code"] in ("writer_unavailable", "not_ready"), reply
                time.sleep(0.05)
            acknowledged.update(ids)
            n += 1

    threads = [threading.Thread(target=write, args=(client,)) for client in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(3):
        time.sleep(1.5)
        os.kill(server.pids()[1], signal.SIGKILL)
        server.logged(r"worker 1 ended \(SIGKILL\)", times=turn + 1)
        assert server.call("POST", SEARCH, {"query": "bird"})[0] == 200  # Readers go on.
        until = time.monotonic() + 60
        while server.call("GET", "/readyz")[1]["workers"]["1"] != "ready":
            assert time.monotonic() < until
            time.sleep(0.05)
    ended.set()
    for thread in threads:
        thread.join(60)
    stored = set()
    cursor = ""
    while True:
        page = server.call("GET", f"{BIRDS}/documents?limit=1000{cursor}")[1]
        stored |= {document["id"] for document in page["documents"]}
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert acknowledged <= stored
    assert len(acknowledged) > 150


@pytest.mark.slow
def test_a_stop_waits_for_requests_on_every_worker(start):
    server = start()
    server.call("PUT", BIRDS, LEXICAL)
    body = "".join(
        json.dumps({"id": f"d{n}", "text": "a bird"}) + "\n" for n in range(400)
    ).encode()
    head = (
        f"POST {BIRDS}/documents/bulk HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(6)]
    try:
        for client in clients:
            client.sendall(head + body[:5_000])
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        server.logged(r"\[worker \d\] [^\n]*stopping", times=2)
        for client in clients:
            client.sendall(body[5_000:])
        replies = [b"".join(iter(lambda c=client: c.recv(1 << 16), b"")) for client in clients]
    finally:
        for client in clients:
            client.close()
    assert [reply.split(b" ", 2)[1] for reply in replies] == 6 * [b"200"]
    assert server.process.wait(60) == -signal.SIGTERM


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(start, monkeypatch):
    with TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        server = start()
        (name,) = os.listdir(folder)
        assert os.stat(os.path.join(folder, name)).st_mode & 0o777 == 0o700
        # Programs that remove old files from this folder leave alone what is locked.
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(descriptor)
        pids = server.pids().values()
        os.kill(server.process.pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while any(os.path.exists(f"/proc/{pid}") for pid in pids):
            assert time.monotonic() < until
            time.sleep(0.05)
        with pytest.raises(OSError):
            server.connect().connect()
        following = start()
        assert name not in os.listdir(folder), "the next start removes what the server left"
        assert following.stop() == -signal.SIGTERM
        assert os.listdir(folder) == []
