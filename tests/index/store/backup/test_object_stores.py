"""Snapshots in object stores: in memory, and in an S3-compatible server on this machine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from twindex.core import CorruptFileError, MissingExtraError, StorageError
from twindex.index import check_snapshot, list_snapshots, restore_snapshot, write_snapshot
from twindex.index.store.backup import object_target
from twindex.index.store.backup.object_target import ObjectTarget
from twindex.search import Collection

from .test_snapshots import CONFIG, state


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path / "birds", CONFIG) as collection:
        collection.add({"id": f"n{i}", "text": f"bird {i}"} for i in range(30))
        collection.seal()
        collection.add([{"id": "late", "text": "late bird"}])
        yield collection


@pytest.fixture
def target() -> ObjectTarget:
    stores = pytest.importorskip("obstore.store", reason="needs the extra s3")
    return ObjectTarget("memory://", stores.MemoryStore())


def test_a_missing_package_is_named(collection, monkeypatch):
    monkeypatch.setattr(
        object_target, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name))
    )
    with pytest.raises(MissingExtraError, match=r"twindex\[s3\]"):
        collection.snapshot("s3://bucket/prefix")


def test_snapshots_are_stored_listed_checked_restored_and_removed(collection, target, tmp_path):
    assert list_snapshots(target) == []
    store = collection.store
    made = [write_snapshot(store, target, keep=2) for _ in range(3)]
    assert list_snapshots(target) == made[1:]
    assert check_snapshot(target, made[-1].name) == []
    assert restore_snapshot(target, tmp_path / "copy") == made[-1]
    with Collection.open(tmp_path / "copy") as copy:
        assert state(copy) == state(collection)
        assert copy.verify() == []
    target.remove(made[-1].name)
    assert [one.name for one in list_snapshots(target)] == [made[1].name]


def test_damaged_and_missing_objects_are_named(collection, target, tmp_path):
    import obstore

    made = write_snapshot(collection.store, target)
    for name in list(made.files)[::5]:
        path = f"{made.name}/{name}"
        whole = bytes(obstore.get(target._store, path).bytes())
        if not whole:
            continue
        obstore.put(target._store, path, whole[:-1] + bytes([whole[-1] ^ 1]))
        assert len(check_snapshot(target, made.name)) == 1
        with pytest.raises(CorruptFileError, match="checksum differs"):
            restore_snapshot(target, tmp_path / "copy")
        obstore.delete(target._store, path)
        with pytest.raises(CorruptFileError, match="is missing"):
            restore_snapshot(target, tmp_path / "copy")
        obstore.put(target._store, path, whole)
    assert not (tmp_path / "copy").exists()


def test_an_interrupted_snapshot_does_not_exist_and_its_files_are_removed(
    collection, target, monkeypatch
):
    import obstore

    made = write_snapshot(collection.store, target)
    stray = "birds.000009.20200101T000000Z.00000000/collection.db"
    obstore.put(target._store, stray, b"x")

    def stop(self, manifest):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(object_target.ObjectWriter, "commit", stop)
        with pytest.raises(KeyboardInterrupt):
            write_snapshot(collection.store, target)
    assert list_snapshots(target) == [made]
    # Another process may write a young snapshot without a manifest, so it stays.
    assert {path.split("/")[0] for path in target._paths("")} == {made.name, stray.split("/")[0]}
    monkeypatch.setattr(object_target, "_ABANDONED", timedelta(seconds=-1))
    write_snapshot(collection.store, target, keep=1)
    assert len({path.split("/")[0] for path in target._paths("")}) == 1


MOTO = os.environ.get("MOTO_SERVER") or shutil.which("moto_server")


@pytest.fixture
def s3(monkeypatch) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of an empty bucket, and the process of its server."""
    pytest.importorskip("obstore", reason="needs the extra s3")
    if MOTO is None:
        pytest.skip("needs moto_server: install moto[server] in an environment of its own")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = subprocess.Popen([MOTO, "-p", str(port)], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(urllib.request.Request(f"{url}/bucket", method="PUT"))
                break
            except OSError:
                time.sleep(0.1)
        yield "s3://bucket/twindex/birds", server
    finally:
        server.kill()
        server.wait()


@pytest.mark.slow
def test_s3_server_holds_snapshots(collection, s3, tmp_path):
    address, server = s3
    collection.add({"id": f"m{i}", "text": f"word{i} " * 300} for i in range(6_000))
    made = collection.snapshot(address)
    assert made.bytes > 20 << 20, "the test needs files of several parts"
    assert Collection.snapshots(address) == [made]
    Collection.restore(address, tmp_path / "copy")
    with Collection.open(tmp_path / "copy") as copy:
        assert state(copy) == state(collection)
        assert copy.verify() == []
    with pytest.raises(StorageError, match="snapshots cannot be read"):
        Collection.snapshots("s3://absent/prefix")
    server.kill()
    server.wait()
    with pytest.raises(StorageError, match="check the address, the variables AWS_"):
        collection.snapshot(address)
