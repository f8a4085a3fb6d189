"""The server works with unreadable folders under its root, and with a read-only or full disk."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twindex.api.serving.operations import probe as probe_module
from twindex.api.serving.operations.probe import WriteProbe
from twindex.core import StorageError

from .test_server_process import Server

LEXICAL = {"legs": {"lexical": {"kind": "lexical"}}}
DROP = """
import ctypes, os
if os.geteuid() == 0:  # Without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH modes hold for root, too.
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    for n in (0, 1, 2):
        sets[n] &= ~0b110
    assert libc.capset(head, sets) == 0
"""


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    for folder in tmp_path.iterdir():
        folder.chmod(0o755)


def test_an_unreadable_folder_does_not_affect_others(root):
    (root / "locked").mkdir()
    (root / "lost+found").mkdir()
    for name in ("locked", "lost+found"):
        (root / name).chmod(0)
    server = Server(root, DROP)
    try:
        client = server.client
        assert client.put("/v1/collections/birds", json=LEXICAL).status_code == 201
        assert client.put("/v1/collections/emus", json=LEXICAL).status_code == 201
        document = "/v1/collections/birds/documents/kiwi"
        assert client.put(document, json={"text": "kiwi"}).status_code == 201

        def listed() -> dict:
            found = client.get("/v1/collections").json()["collections"]
            return {item["name"]: (item["status"], item["problem"]) for item in found}

        denied = ("unreadable", "its folder cannot be read: Permission denied")
        ready = ("ready", None)
        assert listed() == {"birds": ready, "emus": ready, "locked": denied}
        # Also while the server runs.
        (root / "emus").chmod(0)
        assert listed() == {"birds": ready, "emus": denied, "locked": denied}
        for path in ("/", "/metrics", "/v1/jobs", "/readyz", "/healthz", "/v1/models", document):
            reply = client.get(path)
            assert reply.status_code == 200, (path, reply.text)
        assert client.get("/healthz").json()["status"] == "degraded"
        reply = client.get("/v1/collections/locked")
        assert (reply.status_code, reply.json()["code"]) == (503, "unreadable")
        assert "Permission denied" in reply.json()["detail"]
        assert client.delete("/v1/collections/locked").status_code == 503
        assert client.put("/v1/collections/locked", json=LEXICAL).status_code == 409
        # It recovers without a restart; folders without a collection are not listed.
        for name in ("emus", "locked"):
            (root / name).chmod(0o755)
        assert listed() == {"birds": ready, "emus": ready}
        assert not any("Traceback" in line for line in server.log)
    finally:
        server.stop(signal.SIGKILL)
        server.process.stderr.close()


def test_a_collection_that_fails_at_run_time_is_reported(client, monkeypatch, fake_config):
    assert client.put("/v1/collections/other", json=fake_config).status_code == 201
    served = client.app.state.service._served["birds"]

    def fail(*arguments):
        raise StorageError(f"{served.path}/collection.db: cannot be read: disk I/O error")

    monkeypatch.setattr(served.collection, "count", fail)
    monkeypatch.setattr(served.jobs, "_read", fail)
    found = client.get("/v1/collections").json()["collections"]
    assert [item["documents"] for item in found] == [None, 0]
    assert found[0]["problem"] == "birds/collection.db: cannot be read: disk I/O error"
    metrics = client.get("/metrics")
    assert metrics.status_code == 200
    assert 'twindex_documents{collection="other"} 0.0' in metrics.text
    assert client.get("/v1/jobs").json() == {"jobs": []}
    assert client.get("/v1/jobs/abc").status_code == 503  # The job may belong to `birds`.
    assert client.get("/").status_code == 200


def test_a_name_that_is_not_utf_8_is_listed(serve, tmp_path, fake_config, caplog):
    client = serve()
    client.put("/v1/collections/birds", json=fake_config)
    client.__exit__(None, None, None)
    shutil.copytree(os.fsencode(tmp_path / "birds"), os.fsencode(tmp_path) + b"/b\xff")
    client = serve()
    for _ in range(2):
        found = client.get("/v1/collections")
        assert found.status_code == 200, found.text
        listed = {item["name"]: item["status"] for item in found.json()["collections"]}
        assert listed == {"birds": "ready", "b\ufffd": "damaged"}
    assert "b\ufffd is not served" in caplog.text
    caplog.text.encode()  # Logs in files or JSON must be UTF-8.
    for path in ("/", "/metrics", "/healthz"):
        assert client.get(path).status_code == 200


def test_a_server_that_cannot_write_stays_ready_for_searches(client, monkeypatch):
    monkeypatch.setattr(probe_module, "PROBE_SECONDS", 0.0)
    health = client.get("/readyz").json()
    assert (health["status"], health["writable"], health["problem"]) == ("ok", True, None)

    def fails_with(number):
        def fail(*arguments):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(probe_module.os, "posix_fallocate", fail)

    for number in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        fails_with(number)
        reply = client.get("/readyz")
        assert (reply.status_code, reply.json()["status"]) == (200, "unwritable")
        assert reply.json()["writable"] is False
        assert os.strerror(number) in reply.json()["problem"]
        assert "twindex_writable 0.0" in client.get("/metrics").text
        assert client.get("/healthz").status_code == 200
        assert client.get("/livez").status_code == 200
    for number in (errno.EROFS, errno.EACCES):  # Read-only by choice: ready for searches.
        fails_with(number)
        reply = client.get("/readyz")
        assert (reply.status_code, reply.json()["writable"]) == (200, False)
        assert os.strerror(number) in reply.json()["problem"]
    fails_with(errno.EOPNOTSUPP)
    assert client.get("/readyz").json()["writable"] is True


def test_a_probe_of_real_disks(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a file system can be mounted by root only")
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, "size=4m", "x", str(folder)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        assert WriteProbe().check([folder]).problem is None
        (folder / "filler").write_bytes(bytes(4 << 20))
        full = WriteProbe().check([tmp_path, folder])
        assert "No space left" in full.problem
        assert not full.intended
        (folder / "filler").unlink()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        assert WriteProbe().check([folder]).intended
        assert list(folder.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_slow_disk_is_probed_by_one_thread_only(monkeypatch, tmp_path):
    from threading import Event, Thread

    begun, go_on = Event(), Event()

    def slow(*arguments):
        begun.set()
        go_on.wait(10)

    monkeypatch.setattr(probe_module.os, "posix_fallocate", slow)
    probe = WriteProbe()
    thread = Thread(target=probe.check, args=([tmp_path],))
    thread.start()
    begun.wait(10)
    began = time.perf_counter()
    assert probe.check([tmp_path]).problem is None  # The cached result.
    assert time.perf_counter() - began < 1
    go_on.set()
    thread.join()
