"""A real server in a separate process: kill -9, shutdown, many clients in parallel."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from twindex.api.cli.main import main

BIRDS = "/v1/collections/birds"
NDJSON = {"content-type": "application/x-ndjson"}


class Server:
    """`twindex serve` on a free port."""

    def __init__(self, root: Path, prelude: str = "pass", **variables: str) -> None:
        command = f"{prelude}\nimport sys; from twindex.api.cli.main import main; sys.exit(main())"
        arguments = [sys.executable, "-c", command, "serve", str(root), "--port", "0"]
        environment = {**os.environ, **variables, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            arguments, env=environment, stderr=subprocess.PIPE, text=True, cwd=root
        )
        assert self.process.stderr is not None
        self.root = root
        self.log: list[str] = []
        found = None
        while not found:
            line = self.process.stderr.readline()
            assert line, "".join(self.log)
            self.log.append(line)
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        threading.Thread(target=self._drain, daemon=True).start()
        self.client = httpx.Client(base_url=found.group(), timeout=60)
        for _ in range(1_500):
            if self.client.get("/readyz").status_code == 200:
                return
            time.sleep(0.02)
        raise AssertionError("".join(self.log))

    @property
    def address(self) -> tuple[str, int]:
        return self.client.base_url.host, self.client.base_url.port

    def wait_for_log(self, words: str) -> None:
        for _ in range(3_000):
            if any(words in line for line in list(self.log)):
                return
            time.sleep(0.01)
        raise AssertionError("".join(self.log))

    def _drain(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.client.close()
        self.process.send_signal(how)
        return self.process.wait(60)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Server]]:
    servers: list[Server] = []

    def begin(prelude: str = "pass", **variables: str) -> Server:
        servers.append(Server(tmp_path, prelude, **variables))
        return servers[-1]

    yield begin
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)
        server.process.stderr.close()


def lines(first: int, last: int) -> bytes:
    return "".join(
        json.dumps({"id": f"d{n}", "text": f"document {n} of many words"}) + "\n"
        for n in range(first, last)
    ).encode()


def wait_for_job(client: httpx.Client, job_id: str) -> dict:
    for _ in range(3_000):
        job = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] in ("done", "failed"):
            return job
        time.sleep(0.02)
    raise AssertionError(job)


@pytest.mark.slow
def test_a_bulk_job_survives_kill_9(start, fake_config):
    server = start()
    server.client.put(BIRDS, json=fake_config)
    total = 12_000
    response = server.client.post(
        f"{BIRDS}/documents/bulk", content=lines(0, total), headers=NDJSON
    )
    assert response.status_code == 202
    job_id = response.json()["id"]
    done = 0
    for kill_at in (1, 2_000, 6_000):
        while done < kill_at:
            done = server.client.get(f"/v1/jobs/{job_id}").json()["progress"]["done"]
        assert done < total, "the job was too quick to be killed"
        server.stop(signal.SIGKILL)
        server = start()
        assert server.client.get(f"/v1/jobs/{job_id}").json()["progress"]["done"] >= done
    job = wait_for_job(server.client, job_id)
    assert (job["state"], job["progress"]["done"], job["result"]["failed"]) == ("done", total, 0)
    page = server.client.get(f"{BIRDS}/documents", params={"limit": 1}).json()
    assert page["total"] == total
    hits = server.client.post(f"{BIRDS}/search", json={"query": "11999", "limit": 1}).json()["hits"]
    assert hits[0]["id"] == "d11999"


@pytest.mark.slow
def test_an_acknowledged_write_survives_kill_9(start, fake_config):
    server = start()
    server.client.put(BIRDS, json=fake_config)
    for n in range(3):
        server.client.put(f"{BIRDS}/documents/{n}", json={"text": f"bird {n}"})
        server.client.delete(f"{BIRDS}/documents/{n - 1}")
        server.stop(signal.SIGKILL)
        server = start()
        page = server.client.get(f"{BIRDS}/documents").json()
        assert [document["id"] for document in page["documents"]] == [str(n)]


def test_the_log_ends_with_the_address_and_running_requests_finish_at_a_stop(start, fake_config):
    server = start()
    server.wait_for_log("serving ")
    assert len(server.log) == 2
    assert "INFO twindex.api.http.server: collections: none yet; build one with" in server.log[0]
    assert (
        f" at http://127.0.0.1:{server.address[1]} (search page: /, answer page: /ask, API"
        in server.log[1]
    )
    server.client.put(BIRDS, json=fake_config)
    body = lines(0, 900)
    head = (
        f"POST {BIRDS}/documents/bulk HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(server.address, timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100")  # The server waits for the body.
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("stopping")
        connection.sendall(body)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 200")
    assert server.process.wait(60) in (0, -signal.SIGTERM)
    assert not any("Traceback" in line for line in server.log)
    server = start()
    server.wait_for_log("serving ")
    assert server.log[0].endswith("collections: 1 (birds)\n")


@pytest.mark.slow
def test_a_merge_does_not_delay_the_stop(start, fake_config):
    endless = "import time, twindex.search; "
    endless += "twindex.search.Collection.merge = lambda *_, **__: time.sleep(600)"
    server = start(endless, TWINDEX_SHUTDOWN_SECONDS="0")
    server.client.put(BIRDS, json=fake_config)
    job = server.client.post(f"{BIRDS}/merge").json()["id"]
    for _ in range(1_500):
        if server.client.get(f"/v1/jobs/{job}").json()["state"] == "running":
            break
        time.sleep(0.02)
    assert server.stop() == 1
    server.wait_for_log("the next start continues it")
    again = start()
    assert wait_for_job(again.client, job)["state"] == "done"


@pytest.mark.slow
def test_reads_continue_during_writes(start, fake_config):
    server = start()
    server.client.put(BIRDS, json={**fake_config, "storage": {"seal_passages": 200}})
    server.client.put(f"{BIRDS}/documents/fixed", json={"text": "albatross"})
    stop = threading.Event()
    failures: list[str] = []
    searches = [0]

    def read() -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            while not stop.is_set():
                response = client.post(f"{BIRDS}/search", json={"query": "albatross", "limit": 1})
                searches[0] += 1
                if response.status_code != 200 or response.json()["hits"][0]["id"] != "fixed":
                    failures.append(response.text)

    def write(writer: int) -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            for n in range(15):
                content = lines(writer * 1_000 + n * 20, writer * 1_000 + n * 20 + 20)
                response = client.post(f"{BIRDS}/documents/bulk", content=content, headers=NDJSON)
                if response.status_code != 200 or response.json()["errors"]:
                    failures.append(response.text)
            response = client.post(f"{BIRDS}/merge")
            if wait_for_job(client, response.json()["id"])["state"] != "done":
                failures.append(response.text)

    readers = [threading.Thread(target=read) for _ in range(3)]
    writers = [threading.Thread(target=write, args=(n,)) for n in range(2)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert failures == []
    assert searches[0] > 10
    assert server.client.get(BIRDS).json()["documents"] == 601


RERANKERS = """
[rerankers.slow]
kind = "fake"
milliseconds = 20
"""


@pytest.fixture
def reranking(start, fake_config, tmp_path):
    """A server with 60 documents and a reranker that takes 20 ms for each."""
    file = tmp_path / "rerankers.toml"
    file.write_text(RERANKERS)
    server = start(TWINDEX_RERANKERS=str(file), TWINDEX_THREADS="2")
    server.client.put(BIRDS, json=fake_config)
    response = server.client.post(f"{BIRDS}/documents/bulk", content=lines(0, 60), headers=NDJSON)
    assert response.status_code == 200
    return server


def test_a_slow_reranker_keeps_its_time_limit(reranking):
    client = reranking.client
    plain = client.post(f"{BIRDS}/search", json={"query": "words document 7", "limit": 60}).json()
    before = [hit["id"] for hit in plain["hits"]]
    rerank = {"model": "slow", "timeout_ms": 200}
    payload = {"query": "words document 7", "limit": 60, "rerank": rerank}
    began = time.perf_counter()
    reply = client.post(f"{BIRDS}/search", json=payload).json()
    seconds = time.perf_counter() - began
    assert reply["timings"]["rerank"] < 250
    assert seconds < 0.25 + 0.25  # The second 0.25 s are for HTTP and the search.
    assert reply["rerank"]["status"] == "partial"
    judged = reply["rerank"]["judged"]
    assert 0 < judged < 60
    assert sorted(hit["id"] for hit in reply["hits"]) == sorted(before)
    assert {hit["id"] for hit in reply["hits"][:judged]} == set(before[:judged])
    assert [hit["id"] for hit in reply["hits"][judged:]] == before[judged:]


@pytest.mark.slow
def test_searches_do_not_wait_for_slow_rerankers(reranking):
    """Searches stay fast while 20 rerankings of a second each run or wait."""
    url = reranking.client.base_url
    found: list[int] = []

    def rerank(number: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            payload = {"query": f"document {number}", "rerank": {"model": "slow", "top_n": 50}}
            found.append(client.post(f"{BIRDS}/search", json=payload).status_code)

    def search() -> float:
        began = time.perf_counter()
        response = reranking.client.post(f"{BIRDS}/search", json={"query": "document 3"})
        assert response.status_code == 200
        return time.perf_counter() - began

    quiet = max(search() for _ in range(20))
    threads = [threading.Thread(target=rerank, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)  # All requests have arrived.
    busy = sorted(search() for _ in range(20))
    assert not found, "the rerankings were too quick to be in anybody's way"
    for thread in threads:
        thread.join()
    assert found == [200] * 20
    assert busy[10] < quiet + 0.25


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["nowhere"], {}, "nowhere"),
        ([".", "--port", "0"], {"TWINDEX_THREADS": "x"}, "TWINDEX_THREADS"),
        ([".", "--port", "0"], {"TWINDEX_RERANKERS": "none.toml"}, "none.toml"),
        ([".", "--host", "no.such.host.invalid"], {}, "no.such.host.invalid"),
        ([".", "--port", "99999"], {}, "port: must be between 0 and 65535, got 99999"),
        ([".", "--port", "-1"], {}, "port: must be between 0 and 65535, got -1"),
    ],
)
def test_a_failing_start_prints_one_line(
    tmp_path, monkeypatch, capsys, arguments, variables, expected
):
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_a_port_in_use_is_an_error(tmp_path):
    from twindex.api.http.server import serve
    from twindex.core import ConflictError

    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(ConflictError, match="port"),
    ):
        serve(tmp_path, port=taken.getsockname()[1])
