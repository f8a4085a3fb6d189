"""Reading in folders that are not writable: of another user, and on a read-only mount."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings
from twindex.core import ConflictError, CorruptFileError, StorageError
from twindex.index import LocalStore
from twindex.search import Collection

from .damage import configuration, documents, fill, observe, picture

IDS = [f"n{i}" for i in range(72)]
NOBODY = 65_534
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
def folder(reachable):
    return reachable


@pytest.fixture
def mounted(folder):
    """A function that mounts a folder read-only."""
    target = folder / "mount"
    target.mkdir()
    done = []

    def mount(path: Path) -> Path:
        for command in (
            ["mount", "--bind", path, target],
            ["mount", "-o", "remount,ro,bind", target],
        ):
            if (
                shutil.which("mount") is None
                or subprocess.run(command, capture_output=True).returncode
            ):
                pytest.skip("mounting is not allowed here")
            done.append(command)
        return target

    yield mount
    if done:
        subprocess.run(["umount", "-l", target], check=True)


def made(path: Path, state: str) -> dict:
    """Create a collection. Return what a reader must observe.

    state: how the collection is left behind, one of STATES.
    """
    with Collection.create(path, configuration()) as collection:
        fill(collection)
        expected = observe(collection, IDS)
        if state == "crashed":
            picture(path, path.with_name("picture"))
        elif state == "crashed, with shared memory":
            shutil.copytree(path, path.with_name("picture"))
    if state.startswith("crashed"):
        shutil.rmtree(path)
        path.with_name("picture").rename(path)
    return expected


def files(path: Path) -> dict[str, bytes]:
    return {
        p.relative_to(path).as_posix(): p.read_bytes()
        for p in sorted(path.rglob("*"))
        if p.is_file() and not p.name.endswith("-shm")
    }


def check_reading(path: Path, expected: dict) -> None:
    for verify in ("full", "size"):
        with Collection.open(path, read_only=True, verify=verify) as collection:
            assert observe(collection, IDS) == expected
            assert collection.info()["documents"] == expected["count"]
            assert collection.verify() == []
            with pytest.raises(ConflictError, match="read-only"):
                collection.delete(["n1"])
    assert LocalStore.verify(path) == []
    with pytest.raises(StorageError, match=r"collection\.(db|mark)"):
        Collection.open(path)


STATES = ["at rest", "crashed", "crashed, with shared memory"]


@pytest.mark.parametrize("state", STATES)
def test_another_user_reads_a_folder_without_write_access(folder, as_nobody, state):
    path = folder / "c"
    expected = made(path, state)
    before = files(path)
    as_nobody(lambda: check_reading(path, expected))
    assert files(path) == before


@pytest.mark.parametrize("state", STATES)
def test_a_read_only_mount_can_be_read(folder, mounted, state):
    path = folder / "c"
    expected = made(path, state)
    before = files(path)
    check_reading(mounted(path), expected)
    assert files(path) == before


def test_a_reader_without_write_access_sees_new_writes(folder):
    path = folder / "c"
    ready, go = os.pipe(), os.pipe()
    with Collection.create(path, configuration()) as collection:
        collection.add(documents(0, 5))
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            code = 1
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                reader = Collection.open(path, read_only=True)
                first = reader.count()
                os.write(ready[1], b".")
                os.read(go[0], 1)
                code = 0 if (first, reader.count()) == (5, 8) else 2
            except BaseException:  # noqa: BLE001
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(ready[1])
        assert os.read(ready[0], 1) == b"."
        collection.add(documents(5, 8))
        os.write(go[1], b".")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_change_of_an_immutable_database_is_noticed(folder, as_nobody):
    path = folder / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add(documents(0, 5))

    def read() -> None:
        with Collection.open(path, read_only=True) as collection:
            os.write(ready[1], b".")
            os.read(go[0], 1)
            with pytest.raises(StorageError, match="removed or replaced"):
                collection.count()

    ready, go = os.pipe(), os.pipe()
    writer = os.fork()
    if writer == 0:  # pragma: no cover - another process
        os.read(ready[0], 1)
        with Collection.open(path) as collection:
            collection.add(documents(5, 10))
        os.write(go[1], b".")
        os._exit(0)
    as_nobody(read)
    os.waitpid(writer, 0)


def test_reading_creates_no_file(tmp_path):
    path = tmp_path / "c"
    made(path, "at rest")
    (path / "maintenance.lock").unlink()
    before = files(path)
    with Collection.open(path, read_only=True) as collection:
        collection.search("kiwi")
    LocalStore.verify(path)
    assert files(path) == before


@pytest.mark.slow
def test_the_command_line_reads_a_read_only_mount(folder, mounted):
    made(folder / "c", "at rest")
    root = mounted(folder / "c")
    for command in (
        ["search", root, "kiwi"],
        ["info", root],
        ["verify", root],
        ["get", root, "n1"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "twindex.api.cli.main", *map(str, command)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def test_a_server_serves_a_read_only_mount(folder, mounted):
    collections = folder / "collections"
    collections.mkdir()
    made(collections / "birds", "at rest")
    app = create_app(mounted(collections), Settings())
    birds = "/v1/collections/birds"
    with TestClient(app, base_url="http://localhost") as client:
        while client.get("/readyz").json()["status"] == "loading":
            time.sleep(0.01)
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["writable"]) == (200, False)
        assert client.post(f"{birds}/search", json={"query": "kiwi"}).json()["hits"]
        assert client.get(f"{birds}/documents/n1").status_code == 200
        assert client.get("/", params={"collection": "birds", "q": "kiwi"}).status_code == 200
        bulk = {"content": '{"id": "x", "text": "x"}\n', "headers": NDJSON}
        for reply in (
            client.put(f"{birds}/documents/x", json={"text": "x"}),
            client.delete(f"{birds}/documents/n1"),
            client.post(f"{birds}/documents/bulk", **bulk),
            client.post(f"{birds}/documents/bulk?async=true", **bulk),
            client.post(f"{birds}/merge"),
        ):
            assert (reply.status_code, "read-only" in reply.json()["detail"]) == (409, True)
        assert client.get("/v1/jobs").json() == {"jobs": []}


def test_a_file_truncated_while_in_use_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("twindex.index.store.local._SIZE_CHECK_SECONDS", 0.0)
    with Collection.create(tmp_path / "c", configuration()) as collection:
        fill(collection)
        collection.search("kiwi")
        (segment, _) = sorted((tmp_path / "c" / "segments").iterdir())
        path = max((segment / "dense").iterdir(), key=lambda p: p.stat().st_size)
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(CorruptFileError, match=f"{path.name}: has .* bytes instead of"):
            collection.search("kiwi")
        assert any(path.name in problem for problem in collection.verify())
