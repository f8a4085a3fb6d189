"""Jobs interrupted by a kill or a full disk, and uploads seen by a second server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from twindex.core import StorageError
from twindex.index import CollectionConfig
from twindex.index.arrays.files import exclusive
from twindex.index.store.jobs import JobStore
from twindex.index.store.upload import Upload, remove_stray
from twindex.search import Collection

from .test_server_process import BIRDS, NDJSON, Server, wait_for_job

LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}
BULK = f"{BIRDS}/documents/bulk"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(prelude: str = "pass") -> Server:
        servers.append(Server(tmp_path, prelude))
        return servers[-1]

    yield begin
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.stop(signal.SIGKILL)
        server.process.stderr.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a file system can be mounted by root only")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def fill(disk: Path) -> Path:
    """Fill the remaining space."""
    path = disk / ".filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return path


DIES_AFTER_WRITE = """
import os, signal
from twindex.index.store.local import LocalStore
write, writes = LocalStore.write, []
def die(*arguments, **options):
    written = write(*arguments, **options)
    writes.append(written)
    if len(writes) == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    return written
LocalStore.write = die
"""


@pytest.mark.parametrize(
    "n", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_a_continued_job_writes_nothing_twice(start, tmp_path, n):
    """Kill the server after the n-th commit of documents. The second step has two commits."""
    with Collection.create(tmp_path / "birds", _config()) as collection:
        collection.add([{"id": "d4", "text": "before"}, {"id": "d41", "text": "before"}])
    lines = [json.dumps({"id": f"d{i}", "text": "job"}) if i % 5 else "bad" for i in range(60)]
    lines[7] = ""
    server = start(DIES_AFTER_WRITE.format(n=n))
    reply = server.client.post(BULK, content="\n".join(lines), headers=NDJSON, params={"async": 1})
    assert reply.status_code == 202
    assert server.process.wait(30) == -signal.SIGKILL
    with Collection.open(tmp_path / "birds") as collection:
        written = [d.id for d in collection.documents(limit=100) if d.text == "job"]
        assert {"d1", "d2", "d3", "d4"} <= set(written)
        store = JobStore(tmp_path / "birds")
        done = store.get(reply.json()["id"])
        store.close()
        # Progress matches the written documents, to the line.
        assert done.done == max(int(name[1:]) for name in written) + 1
        assert done.result["documents"] == len(written)
        collection.add([{"id": "d1", "text": "newer"}])
        collection.delete(["d2"])
    job = wait_for_job(start().client, reply.json()["id"])
    result = job["result"]
    assert (job["state"], job["progress"]["done"]) == ("done", 60)
    assert (result["documents"], result["failed"], result["replaced"]) == (47, 12, 2)
    assert [error["line"] for error in result["errors"]] == list(range(1, 60, 5))
    with Collection.open(tmp_path / "birds") as collection:
        texts = {document.id: document.text for document in collection.documents(limit=100)}
    assert texts.pop("d1") == "newer"
    assert "d2" not in texts
    assert set(texts.values()) == {"job"}
    assert len(texts) == 45


def _config():
    return CollectionConfig.model_validate(LEXICAL)


def test_a_job_waits_while_the_disk_is_full(serve, disk, wait_for_job, problem):
    client = serve(disk, job_documents=10)
    client.put(BIRDS, json=LEXICAL)
    content = "".join(f'{{"id": "d{i}", "text": "{"word " * 200}"}}\n' for i in range(2_000))
    spool = disk / "birds" / "jobs"
    with exclusive(spool / "lock", wait=True):  # The job is accepted and has not started.
        bulk = client.post(BULK, content=content, headers=NDJSON)
        assert bulk.status_code == 202
        merge = client.post(f"{BIRDS}/merge").json()["id"]
        filler = fill(disk)
    job_id = bulk.json()["id"]
    job = _wait_for_state(client, job_id, "waiting")
    assert "full" in job["error"] or "No space" in job["error"], job
    assert (spool / f"{job_id}.ndjson").exists()
    assert client.get(f"/v1/jobs/{merge}").json()["state"] == "queued"  # Jobs keep their order.
    assert 'state="waiting"} 1.0' in client.get("/metrics").text
    # No reply is 500, and the probe has the reason.
    for reply in (
        client.post(BULK, content=content, headers=NDJSON),
        client.post(BULK, content=content[:900], headers=NDJSON, params={"async": 1}),
        client.put(f"{BIRDS}/documents/x", json={"text": "word " * 300_000}),
        client.put("/v1/collections/other", json=LEXICAL),
    ):
        details = problem(reply, 503, "storage")
        assert "full" in details.detail or "No space" in details.detail, details
    ready = _wait_for_status(client, "unwritable")
    assert ready["writable"] is False
    assert "No space left" in ready["problem"]
    assert sorted(path.name for path in spool.iterdir()) == sorted([f"{job_id}.ndjson", "lock"])
    filler.unlink()
    assert wait_for_job(client, job_id)["result"]["documents"] == 2_000
    assert wait_for_job(client, merge)["state"] == "done"
    assert client.get(f"{BIRDS}/documents").json()["total"] == 2_000
    assert _wait_for_status(client, "ok")["writable"] is True
    assert client.put("/v1/collections/other", json=LEXICAL).status_code == 201


def _wait_for_state(client, job_id, state):
    for _ in range(1_000):
        job = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] == state:
            return job
        assert job["state"] != "failed", job
        time.sleep(0.02)
    raise AssertionError(job)


def _wait_for_status(client, status):
    for _ in range(500):
        reply = client.get("/readyz")
        assert reply.status_code == 200, "searches go on"
        if reply.json()["status"] == status:
            return reply.json()
        time.sleep(0.02)
    raise AssertionError(reply.text)


def test_a_waiting_job_does_not_block_other_collections(serve, tmp_path, wait_for_job, monkeypatch):
    client = serve()
    for name in ("one", "two"):
        client.put(f"/v1/collections/{name}", json=LEXICAL)
    collection = client.app.state.service._served["one"].collection
    merge, fails = collection.merge, [True]

    def fail(**options):
        if fails[0]:
            raise OSError(28, "No space left on device")
        return merge(**options)

    monkeypatch.setattr(collection, "merge", fail)
    first = client.post("/v1/collections/one/merge").json()["id"]
    assert "No space left" in _wait_for_state(client, first, "waiting")["error"]
    second = client.post("/v1/collections/two/merge").json()["id"]
    assert wait_for_job(client, second)["state"] == "done"
    fails[0] = False
    job = wait_for_job(client, first)
    assert (job["state"], job["error"]) == ("done", None)


def test_a_waiting_job_does_not_delay_the_stop(serve, monkeypatch, tmp_path):
    client = serve()
    client.put(BIRDS, json=LEXICAL)
    collection = client.app.state.service._served["birds"].collection

    def fail(**options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(collection, "merge", fail)
    job_id = client.post(f"{BIRDS}/merge").json()["id"]
    _wait_for_state(client, job_id, "waiting")
    began = time.perf_counter()
    client.__exit__(None, None, None)
    assert time.perf_counter() - began < 5
    store = JobStore(tmp_path / "birds")
    assert not store.get(job_id).finished
    store.close()


def test_a_key_and_its_job_are_durable_together(serve, monkeypatch, problem, tmp_path):
    client = serve()
    client.put(BIRDS, json=LEXICAL)

    def fail(self, key, reply):
        raise StorageError("the disk is full")

    headers = {**NDJSON, "idempotency-key": "k"}
    content = '{"id": "a", "text": "b"}'
    with monkeypatch.context() as patch:
        patch.setattr(JobStore, "remember", fail)
        reply = client.post(BULK, content=content, headers=headers, params={"async": 1})
        problem(reply, 503, "storage")
    assert client.get("/v1/jobs").json()["jobs"] == []
    assert not list((tmp_path / "birds" / "jobs").glob("*.ndjson"))
    reply = client.post(BULK, content=content, headers=headers, params={"async": 1})
    assert reply.status_code == 202


@pytest.mark.slow
def test_a_second_server_keeps_uploads_in_progress(start):
    first = start()
    first.client.put(BIRDS, json=LEXICAL)
    body = "".join(f'{{"id": "d{i}", "text": "t"}}\n' for i in range(2_000)).encode()
    head = (
        f"POST {BULK}?async=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(first.address, timeout=60) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])
        spool = first.root / "birds" / "jobs"
        for _ in range(500):
            if list(spool.glob("*.ndjson")):
                break
            time.sleep(0.01)
        start()  # Ready: it has searched for stray files.
        connection.sendall(body[len(body) // 2 :])
        reply = b""
        while piece := connection.recv(65_536):
            reply += piece
    assert reply.startswith(b"HTTP/1.1 202")
    job_id = json.loads(reply.partition(b"\r\n\r\n")[2])["id"]
    job = wait_for_job(first.client, job_id)
    assert (job["state"], job["result"]["documents"]) == ("done", 2_000)


def test_a_stray_upload_is_removed_when_idle(tmp_path):
    path = tmp_path / "a.ndjson"
    upload = Upload(path)
    upload.write(b"line\n")
    remove_stray(path, lambda: False)
    assert path.read_bytes() == b"line\n"
    upload.keep()
    upload.discard()  # It belongs to its job.
    remove_stray(path, lambda: True)
    assert path.exists()
    remove_stray(path, lambda: False)
    assert not path.exists()


def test_a_concurrent_cleaner_loses_no_upload(tmp_path):
    paths = [tmp_path / f"{i}.ndjson" for i in range(300)]
    over = False

    def clean() -> None:
        while not over:
            for path in paths:
                remove_stray(path, lambda: False)

    cleaner = Thread(target=clean)
    cleaner.start()
    uploads = []
    for path in paths:
        uploads.append(Upload(path))
        uploads[-1].write(b"x")
    kept = [path.read_bytes() for path in paths]
    over = True
    cleaner.join()
    assert kept == [b"x"] * len(paths)
    for upload in uploads:
        upload.discard()
    assert list(tmp_path.iterdir()) == []
