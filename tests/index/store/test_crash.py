"""kill -9 at random moments of writes, seals and merges; damaged files; released disk space."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from twindex.core import CorruptFileError, Document, StorageError
from twindex.encoders import (
    DenseEncoderConfig,
    LateEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
)
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    LexicalLeg,
    SparseLeg,
    StorageConfig,
    merge_due,
)
from twindex.search import Collection, LegRequest


def configuration() -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
            "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
            "lexical": LexicalLeg(),
            "late": DenseLeg(role="rerank", encoder=LateEncoderConfig(model="fake")),
            "tilde": SparseLeg(role="rerank", encoder=TildeEncoderConfig(model="fake")),
        },
        storage=StorageConfig(max_segments=2),
    )


def document(name: str, version: int) -> Document:
    return Document(name, f"alpha {name} version{version} " + "filler " * 20)


def work(path: Path, seed: int, log: int) -> None:
    """Write, delete, seal and merge until killed. Log the start and the end of each step."""
    random_ = random.Random(seed)
    collection = Collection.open(path)
    while True:
        version = random_.randrange(10**9)
        names = [f"n{random_.randrange(60)}" for _ in range(3)]
        step = random_.random()
        if step < 0.55:
            os.write(log, f"start put {version} {' '.join(names)}\n".encode())
            collection.add([document(name, version) for name in dict.fromkeys(names)])
            os.write(log, f"done put {version} {' '.join(names)}\n".encode())
        elif step < 0.75:
            os.write(log, f"start delete 0 {' '.join(names)}\n".encode())
            collection.delete(names)
            os.write(log, f"done delete 0 {' '.join(names)}\n".encode())
        elif step < 0.92:
            collection.seal()
        else:
            collection.merge()


def run_and_kill(path: Path, seed: int, seconds: float) -> list[list[str]]:
    """Run a worker process, kill it after `seconds`, and return its log."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.close(read)
        try:
            work(path, seed, write)
        finally:
            os._exit(1)
    os.close(write)
    chunks = [os.read(read, 1 << 16)]  # The first step has begun.
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    while chunk := os.read(read, 1 << 16):
        chunks.append(chunk)
    os.close(read)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the worker failed by itself"
    return [line.split() for line in b"".join(chunks).decode().splitlines()]


def apply(log: Sequence[Sequence[str]], state: dict[str, set[int | None]]) -> None:
    """Update `state` by a log: id -> versions that may be stored now. None: absent."""
    for phase, kind, version, *names in log:
        for name in names:
            outcome = None if kind == "delete" else int(version)
            if phase == "start":
                state.setdefault(name, {None}).add(outcome)
            else:
                state[name] = {outcome}


def version_of(text: str) -> int:
    return int(text.split("version")[1].split()[0])


@pytest.mark.parametrize("kills", [15, pytest.param(100, marks=pytest.mark.slow)])
def test_nothing_acknowledged_is_lost_after_kill_9(tmp_path, kills):
    path = tmp_path / "c"
    Collection.create(path, configuration()).close()
    state: dict[str, set[int | None]] = {}
    random_ = random.Random(7)
    steps = 0
    for kill in range(kills):
        log = run_and_kill(path, kill, random_.uniform(0.0, 0.12))
        steps += sum(line[0] == "done" for line in log)
        apply(log, state)
        with Collection.open(path) as collection:
            stored = {d.id: version_of(d.text) for d in collection.documents(limit=1000)}
            for name, allowed in state.items():
                assert stored.get(name) in allowed, f"{name} after kill {kill}"
                state[name] = {stored.get(name)}
            assert collection.verify() == []
            for leg in configuration().legs:
                hits = collection.search("alpha", legs=[LegRequest(name=leg)], limit=1000).hits
                found = {hit.id: version_of(hit.document.text) for hit in hits}
                assert found == stored, f"{leg} after kill {kill}"
            named = {segment["id"] for segment in collection.info()["segments"]}
        assert {p.name for p in (path / "segments").iterdir()} == named, "a file leaked"
    # About three steps per kill on an idle machine; fewer on a busy one.
    assert steps >= kills // 5, "the workers hardly worked"


def count_up(path: Path, log: int) -> None:
    """Change the metadata of all documents again and again until killed, and seal."""
    collection = Collection.open(path)
    for version in range(1, 10**9):
        os.write(log, f"start {version}\n".encode())
        collection.update_where({}, {"version": version, "seen": {f"v{version % 3}": version}})
        os.write(log, f"done {version}\n".encode())
        if version % 7 == 0:
            collection.add([document(f"n{version % 20}", version)])
            collection.seal()


@pytest.mark.parametrize("kills", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_a_killed_change_of_metadata_is_whole_or_absent(tmp_path, kills):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add(document(f"n{i}", i) for i in range(20))
    random_ = random.Random(3)
    done = 0
    for kill in range(kills):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                os.close(read)
                count_up(path, write)
            finally:
                os._exit(1)
        os.close(write)
        chunks = [os.read(read, 1 << 16)]
        time.sleep(random_.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        while chunk := os.read(read, 1 << 16):
            chunks.append(chunk)
        os.close(read)
        assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the worker failed by itself"
        log = [line.split() for line in b"".join(chunks).decode().splitlines()]
        allowed = {int(version) for _, version in log[-2:]}
        with Collection.open(path) as collection:
            assert collection.verify() == []
            versions = {d.metadata.get("version") for d in collection.scan()} - {None}
            if any(phase == "done" for phase, _ in log):
                assert len(versions) == 1, f"half of a change after kill {kill}"
                assert versions <= allowed
                done += 1
            for version in versions:  # Filters and documents agree.
                stored = sum(d.metadata.get("version") == version for d in collection.scan())
                assert collection.count({"version": version}) == stored
            assert len(collection.search("alpha", limit=100).hits) == 20
    assert done > 0, "the workers hardly worked"


def sealed(path: Path, documents: int = 30) -> Path:
    with Collection.create(path, configuration()) as collection:
        collection.add(document(f"n{i}", i) for i in range(documents))
        collection.seal()
    (segment,) = (path / "segments").iterdir()
    return segment


def every_file(segment: Path) -> list[Path]:
    return sorted(p for p in segment.rglob("*") if p.is_file() and p.stat().st_size)


def test_a_damaged_file_is_named_at_open(tmp_path):
    segment = sealed(tmp_path / "c", 60)
    files = every_file(segment)
    assert segment / "late" / "codes.npy" in files, "the test needs enough vectors for a codec"
    for path in files:
        original = path.read_bytes()
        middle = len(original) // 2
        flipped = original[:middle] + bytes([original[middle] ^ 4]) + original[middle + 1 :]
        for damaged in (original[:-1], flipped):
            path.write_bytes(damaged)
            with pytest.raises(CorruptFileError) as caught:
                Collection.open(tmp_path / "c")
            assert caught.value.path == path
        path.unlink()
        with pytest.raises(CorruptFileError, match="is missing"):
            Collection.open(tmp_path / "c")
        path.write_bytes(original)
    with Collection.open(tmp_path / "c") as collection:
        assert collection.verify() == []


def test_verify_names_the_file_that_was_altered_while_open(tmp_path):
    segment = sealed(tmp_path / "c")
    with Collection.open(tmp_path / "c") as collection:
        path = segment / "lexical" / every_file(segment / "lexical")[0].name
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(bytes(data))
        assert any(str(path) in problem for problem in collection.verify())


def test_merge_refuses_a_damaged_segment(tmp_path):
    segment = sealed(tmp_path / "c")
    with Collection.open(tmp_path / "c") as collection:
        collection.add([document("late", 1)])
        path = segment / "dense" / every_file(segment / "dense")[0].name
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(bytes(data))
        with pytest.raises(CorruptFileError) as caught:
            collection.merge()
        assert caught.value.path == path
        assert any(str(path) in problem for problem in collection.verify())
        assert collection.count() == 31


def test_a_damaged_recent_passage_is_an_error_and_not_a_crash(tmp_path):
    with Collection.create(tmp_path / "c", configuration()) as collection:
        collection.add([document("n1", 1)])
    database = sqlite3.connect(tmp_path / "c" / "collection.db")
    (data,) = database.execute("SELECT data FROM delta").fetchone()
    database.execute("UPDATE delta SET data = ?", (data[:40] + b"\xff" + data[41:],))
    database.commit()
    database.close()
    with pytest.raises(StorageError, match="checksums do not match"):
        Collection.open(tmp_path / "c")


def test_a_damaged_database_is_an_error(tmp_path):
    with Collection.create(tmp_path / "c", configuration()) as collection:
        collection.add([document(f"n{i}", 1) for i in range(50)])
    path = tmp_path / "c" / "collection.db"
    path.write_bytes(b"x" * 5_000 + path.read_bytes()[5_000:])
    with pytest.raises(StorageError, match=r"collection\.db"):
        Collection.open(tmp_path / "c")


def test_writes_to_a_collection_that_was_replaced_are_refused(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add([document("n1", 1)])
        path.rename(tmp_path / "moved")
        for change in (
            lambda: collection.add([document("n2", 1)]),
            lambda: collection.delete(["n1"]),
        ):
            with pytest.raises(StorageError, match="removed or replaced"):
                change()
        with Collection.create(path, configuration()) as other:
            with pytest.raises(StorageError, match="removed or replaced"):
                collection.add([document("n2", 1)])
            assert other.count() == 0
    with Collection.open(tmp_path / "moved") as collection:
        assert collection.count() == 1


def test_repeated_replacement_of_documents_seals_the_delta(tmp_path):
    config = configuration().model_copy(
        update={"storage": StorageConfig(seal_passages=100, max_segments=2)}
    )
    with Collection.create(tmp_path / "c", config) as collection:
        for version in range(60):
            collection.add([document(f"n{i}", version) for i in range(10)])
    with Collection.open(tmp_path / "c") as collection:
        assert collection.store.pending() < 200
        assert collection.count() == 10
        assert collection.verify() == []


def test_a_mostly_deleted_segment_is_rewritten(tmp_path):
    with Collection.create(tmp_path / "c", configuration()) as collection:
        collection.add(document(f"n{i}", i) for i in range(100))
        collection.seal()
        assert merge_due(collection.store) is False
        collection.delete([f"n{i}" for i in range(60)])
        assert merge_due(collection.store) is True
        (segment,) = collection.info()["segments"]
        assert (segment["passages"], segment["dead_passages"]) == (40, 0)


def test_failed_maintenance_removes_files_and_reports_the_reason(tmp_path, monkeypatch):
    config = configuration().model_copy(update={"storage": StorageConfig(seal_passages=5)})
    with Collection.create(tmp_path / "c", config) as collection:

        def full(*arguments):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("twindex.index.store.segment.seal_directory", full)
        collection.add(document(f"n{i}", i) for i in range(10))
        collection.close()
        assert "No space left" in collection._upkeep.failure
    assert list((tmp_path / "c" / "segments").iterdir()) == []
    monkeypatch.undo()
    with Collection.open(tmp_path / "c") as collection:
        assert len(collection.search("alpha", limit=100).hits) == 10


def test_a_merge_does_not_wait_for_readers(tmp_path):
    with Collection.create(tmp_path / "c", configuration()) as collection:
        collection.add(document(f"n{i}", i) for i in range(500))
        collection.seal()
        collection.delete([f"n{i}" for i in range(400)])
        with collection.store.view() as view:
            began = time.monotonic()
            collection.merge()
            assert time.monotonic() - began < 20
            assert view.count(None) == 100


def bytes_on_disk(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def test_disk_shrinks_after_delete_and_merge(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add(document(f"n{i}", i) for i in range(2_000))
        collection.merge()
        full = bytes_on_disk(path)
        collection.delete([f"n{i}" for i in range(1_800)])
        collection.merge()
        assert bytes_on_disk(path) < 0.3 * full
        assert collection.count() == 200


def test_readers_in_other_processes_see_committed_writes(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        requests, replies = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            code = 1
            try:
                reader = Collection.open(path, read_only=True)
                for _ in range(4):
                    os.read(requests[0], 1)
                    found = len(reader.search("alpha", limit=1000).hits)
                    os.write(replies[1], f"{found}\n".encode())
                code = 0
            finally:
                os._exit(code)
        counts = []
        for step in range(4):
            if step == 1:
                collection.add(document(f"n{i}", i) for i in range(10))
            elif step == 2:
                collection.merge()
                collection.delete(["n0"])
            elif step == 3:
                collection.add([document("late", 1)])
                collection.merge()
            os.write(requests[1], b".")
            counts.append(int(os.read(replies[0], 100)))
        os.waitpid(child, 0)
    assert counts == [0, 10, 9, 10]
