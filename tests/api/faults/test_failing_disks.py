"""A server on a full, read-only or failing disk: reads go on, refusals say why, nothing is lost.

A shim (`tests/durability/shim.c`) lets file operations of the server process fail while clients
write and read. Then the disk works again, and the server recovers without a restart.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from itertools import count
from typing import Any

import httpx2 as httpx
import pytest

from twindex.index import LocalStore

from ...durability.shim import CHANGES, KINDS
from .conftest import DOCUMENTS, Watched
from .requests import BIRDS, NDJSON, finished

FAULTS = {
    "full": (CHANGES - KINDS["unlink"], errno.ENOSPC, "No space left on device|disk is full"),
    "no inodes": (KINDS["open"] | KINDS["mkdir"], errno.ENOSPC, "No space left|disk is full"),
    "read-only": (CHANGES, errno.EROFS, "Read-only file system|readonly|read-only|disk I/O"),
    "failing syncs": (KINDS["sync"], errno.EIO, "I/O error|Input/output error"),
    "failing writes": (KINDS["write"], errno.EIO, "I/O error|Input/output error"),
    "failing reads": (KINDS["read"], errno.EIO, "I/O error|Input/output error|cannot be read"),
}
REFUSED = 503


class Client(threading.Thread):
    """Writes, deletes and reads documents of its own until it is stopped.

    stored: id -> texts that may be stored now. None: absent.
    """

    def __init__(self, address: str, name: str) -> None:
        super().__init__()
        self._http = httpx.Client(base_url=address, timeout=60, trust_env=False)
        self._name = name
        self.stored: dict[str, set[str | None]] = {}
        self.replies: list[tuple[str, httpx.Response]] = []
        self.failure: BaseException | None = None
        self.over = threading.Event()

    def run(self) -> None:
        try:
            with self._http:
                for number in count():
                    if self.over.is_set():
                        return
                    self._write(f"{self._name}{number % 7}", f"bird {self._name} {number}", number)
                    self._read(f"d{number % 7 + 10}")
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failure = error

    def _write(self, name: str, text: str, number: int) -> None:
        path = f"{BIRDS}/documents/{name}"
        allowed = self.stored.setdefault(name, {None})
        if number % 5 == 4:
            allowed.add(None)
            reply = self._http.delete(path)
            wanted: str | None = None
        else:
            allowed.add(text)
            reply = self._http.put(path, json={"text": text})
            wanted = text
        self.replies.append(("write", reply))
        if reply.is_success:
            self.stored[name] = {wanted}

    def _read(self, name: str) -> None:
        reply = self._http.get(f"{BIRDS}/documents/{name}")
        self.replies.append(("read", reply))
        if reply.status_code == 200:
            assert reply.json()["text"] == DOCUMENTS[name]
        found = self._http.post(f"{BIRDS}/search", json={"query": DOCUMENTS[name], "limit": 200})
        self.replies.append(("read", found))
        if found.status_code == 200:
            assert set(DOCUMENTS) - {"d7"} <= {hit["id"] for hit in found.json()["hits"]}


def run(address: str, seconds: float, names: str) -> list[Client]:
    clients = [Client(address, name) for name in names]
    for client in clients:
        client.start()
    time.sleep(seconds)
    for client in clients:
        client.over.set()
        client.join()
        assert client.failure is None, client.failure
    return clients


def statuses(clients: list[Client], kind: str) -> set[int]:
    return {reply.status_code for one in clients for what, reply in one.replies if what == kind}


@pytest.mark.parametrize(
    "fault",
    [
        "full",
        "failing syncs",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in FAULTS
            if name not in ("full", "failing syncs")
        ),
    ],
)
def test_reads_go_on_writes_say_why_and_nothing_is_lost(watched: Watched, fault: str) -> None:
    kinds, error, words = FAULTS[fault]
    root = watched.fresh()
    with watched.start(root) as client:
        address = str(client.base_url)
        watched.control.fail(kinds, error)
        clients = run(address, 1.5, "abc")
        queued = [client.post(f"{BIRDS}/merge")]
        line = '{"id": "queued", "text": "queued bird"}'
        path, query = f"{BIRDS}/documents/bulk", {"async": "true"}
        queued.append(client.post(path, content=line, headers=NDJSON, params=query))
        watched.control.clear()
        _check_refusals(fault, words, clients, queued)
        _recovers(client)
        clients += run(address, 0.5, "xyz")
        assert statuses(clients[3:], "write") <= {200, 201, 204, 404}
        assert statuses(clients[3:], "read") == {200}
        for reply in queued:
            if reply.status_code == 202:
                finished(client, reply)
    watched.parent.end()
    with watched.start(root) as client:
        for one in clients:
            for name, allowed in one.stored.items():
                reply = client.get(f"{BIRDS}/documents/{name}")
                found = reply.json()["text"] if reply.status_code == 200 else None
                assert found in allowed, (fault, name)
        if queued[1].status_code == 202:
            assert client.get(f"{BIRDS}/documents/queued").status_code == 200
    watched.parent.end()
    assert LocalStore.verify(root / "data" / "birds") == []


def _check_refusals(
    fault: str, words: str, clients: list[Client], queued: list[httpx.Response]
) -> None:
    reads = statuses(clients, "read")
    assert reads <= ({200, REFUSED} if fault == "failing reads" else {200}), reads
    assert 200 in reads or fault == "failing reads"
    writes = statuses(clients, "write")
    assert writes <= {200, 201, 204, 404, REFUSED}, writes
    if fault not in ("no inodes", "failing reads"):  # A write needs no new file, or no read.
        assert not writes & {200, 201, 204}, "a write was acknowledged"
    refused = [
        reply
        for one in clients
        for _, reply in one.replies
        if reply.status_code == REFUSED
    ] + [reply for reply in queued if reply.status_code == REFUSED]  # fmt: skip
    for reply in refused:
        problem: dict[str, Any] = reply.json()
        assert problem["code"] in ("storage", "corrupt"), problem
        assert any(word in problem["detail"] for word in words.split("|")), problem
        assert "retry-after" in reply.headers


def _recovers(client: httpx.Client) -> None:
    """Wait until a write succeeds."""
    for _ in range(500):
        if client.put(f"{BIRDS}/documents/again", json={"text": "again"}).is_success:
            return
        time.sleep(0.02)
    raise AssertionError(client.get("/healthz").text)


@pytest.mark.slow
def test_a_server_starts_on_a_full_disk_and_recovers(watched: Watched, tmp_path) -> None:
    from ...index.store.backup.test_full_disks import mounted, remount

    with mounted(tmp_path / "disk", "size=30m") as disk:
        (disk / "data").mkdir()
        with watched.start(disk) as client:
            config = {"legs": {"lexical": {"kind": "lexical"}}}
            assert client.put(BIRDS, json=config).status_code == 201
            assert client.put(f"{BIRDS}/documents/a", json={"text": "kept"}).status_code == 201
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file:
                while _fits(file.fileno()):
                    pass
            text = "word " * 60_000
            status, stored = 201, 0
            while status == 201 and stored < 200:
                status = client.put(f"{BIRDS}/documents/b{stored}", json={"text": text}).status_code
                stored += status == 201
            assert status == REFUSED
            assert client.get("/readyz").status_code == 200
        watched.parent.end()
        filler.unlink()
        remount(disk, f"size={sum(p.stat().st_blocks for p in disk.rglob('*')) // 2 + 4}k")
        with watched.start(disk) as client:
            assert client.get(f"{BIRDS}/documents/a").json()["text"] == "kept"
            reply = client.post(f"{BIRDS}/search", json={"query": "kept"})
            assert [hit["id"] for hit in reply.json()["hits"]] == ["a"]
            assert client.put(f"{BIRDS}/documents/c", json={"text": text}).status_code == REFUSED
            remount(disk, "size=60m")
            _recovers(client)
            for number in range(stored):
                assert client.get(f"{BIRDS}/documents/b{number}").status_code == 200
        assert watched.parent.end(signal.SIGTERM) in (0, -signal.SIGTERM)


def _fits(descriptor: int) -> bool:
    try:
        os.write(descriptor, bytes(1 << 16))
    except OSError:
        return False
    return True
