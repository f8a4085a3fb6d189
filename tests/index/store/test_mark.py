"""Acknowledged writes lost by a damaged write-ahead log are noticed, and no file is removed."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import struct
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from twindex.core import NotFoundError, StorageError
from twindex.index import LocalStore
from twindex.index.store.database.mark import Mark
from twindex.search import Collection

from .damage import configuration, documents, flip, picture

DOCUMENTS = 300
MISSING = "acknowledged writes are missing"


@pytest.fixture(scope="module")
def crashed(tmp_path_factory) -> Path:
    """A collection after kill -9, with all writes in the write-ahead log."""
    root = tmp_path_factory.mktemp("crashed")
    with Collection.create(root / "c", configuration()) as collection:
        for first in range(0, DOCUMENTS, 20):
            collection.add(documents(first, first + 20))
            if first % 100 == 80:
                collection.seal()
        return picture(root / "c", root / "crashed")


def names(path: Path) -> set[str]:
    return {p.name for p in (path / "segments").iterdir()}


def trial(crashed: Path, path: Path, bit: int) -> str:
    shutil.rmtree(path, ignore_errors=True)
    picture(crashed, path)
    flip(path / "collection.db-wal", bit)
    log = (path / "collection.db-wal").read_bytes()
    verified = LocalStore.verify(path)
    try:
        collection = Collection.open(path)
    except StorageError as error:
        assert verified, f"bit {bit}: verify is silent about: {error}"  # noqa: PT017
        assert names(path) == names(crashed), f"bit {bit}: segments were removed"
        assert (path / "collection.db-wal").read_bytes() == log, f"bit {bit}: the log is gone"
        return "missing" if MISSING in str(error) else "damaged"
    with collection:
        count = collection.count()
    assert count == DOCUMENTS, f"bit {bit}: {count} documents, in silence"
    return "harmless"


def run(crashed: Path, path: Path, trials: int) -> Counter:
    random_ = random.Random(4)
    bits = 8 * (crashed / "collection.db-wal").stat().st_size
    return Counter(trial(crashed, path, random_.randrange(bits)) for _ in range(trials))


def test_damaged_log_is_reported_and_no_file_is_removed(crashed, tmp_path):
    assert len(names(crashed)) == 3
    outcomes = run(crashed, tmp_path / "c", 30)
    assert outcomes["missing"] > 20


def hot_journal() -> bytes:
    """Return the journal that SQLite writes before the first page of an empty database."""
    numbers = (0, 7, 0, 512, 4096)  # Records, nonce, pages before, size of a sector and of a page.
    return (bytes.fromhex("d9d505f920a163d7") + struct.pack(">5I", *numbers)).ljust(512, b"\0")


@pytest.mark.parametrize("first", ["nothing", "zeros", "a page"])
def test_a_creation_interrupted_by_power_loss_can_be_repeated(first, tmp_path):
    """Before the write-ahead log exists, SQLite has a journal that a reader cannot roll back."""
    path = tmp_path / "c"
    path.mkdir()
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE meta (a)")
    page = (tmp_path / "other.db").read_bytes()[:4096]
    written = {"nothing": b"", "zeros": b"\0" * 4096, "a page": page}[first]
    (path / "collection.db").write_bytes(written)
    (path / "collection.db-journal").write_bytes(hot_journal())
    for read_only in (True, False):
        with pytest.raises(NotFoundError, match="its creation was interrupted"):
            Collection.open(path, read_only=read_only)
    with Collection.open_or_create(path, configuration()) as collection:
        collection.add(documents(0, 1))
    assert LocalStore.verify(path) == []


def test_a_finished_journal_is_ignored(tmp_path):
    path = tmp_path / "c"
    with Collection.open_or_create(path, configuration()) as collection:
        collection.add(documents(0, 1))
    for content in (b"", b"\0" * 512):
        (path / "collection.db-journal").write_bytes(content)
        for mark in (path / "collection.mark").read_bytes(), None:
            if mark is None:
                (path / "collection.mark").unlink()
            with Collection.open(path, read_only=True) as collection:
                assert collection.count() == 1
        (path / "collection.db-journal").unlink(missing_ok=True)
        with Collection.open(path):
            pass


def test_damage_in_the_first_page_of_the_log_means_missing_writes(crashed, tmp_path):
    """It is not mistaken for an unfinished creation: the database file itself is still empty."""
    assert trial(crashed, tmp_path / "c", 8 * 40) == "missing"
    (found,) = LocalStore.verify(tmp_path / "c", accept=True)
    assert f"{MISSING} (the database is empty, but collection.mark" in found


@pytest.mark.slow
def test_damaged_log_is_reported_in_300_trials(crashed, tmp_path):
    print(run(crashed, tmp_path / "c", 300))


def test_control_without_the_mark_damage_is_silent(crashed, tmp_path):
    """SQLite alone does not report the damage."""
    picture(crashed, tmp_path / "c")
    (tmp_path / "c" / "collection.mark").unlink()
    flip(tmp_path / "c" / "collection.db-wal", 4 * (crashed / "collection.db-wal").stat().st_size)
    with Collection.open(tmp_path / "c") as collection:
        assert collection.count() < DOCUMENTS


def lost(crashed: Path, path: Path) -> Path:
    """Create a collection with lost acknowledged writes. Return its path."""
    picture(crashed, path)
    flip(path / "collection.db-wal", 7 * (crashed / "collection.db-wal").stat().st_size)
    return path


def test_lost_writes_are_accepted_only_on_request(crashed, tmp_path):
    path = lost(crashed, tmp_path / "c")
    for read_only in (False, True, False):
        with pytest.raises(StorageError, match=f"{MISSING}.*twindex verify --accept"):
            Collection.open(path, read_only=read_only)
    assert names(path) == names(crashed)
    assert LocalStore.verify(path, accept=True) == []
    with Collection.open(path) as collection:
        assert 0 < collection.count() < DOCUMENTS
        assert collection.verify() == []
        collection.add(documents(0, 5))
    assert LocalStore.verify(path) == []


def test_verify_accept_is_a_command(crashed, tmp_path, capsys):
    from twindex.api.cli.main import main

    path = lost(crashed, tmp_path / "c")
    assert main(["verify", str(path)]) == 1
    assert MISSING in capsys.readouterr().out
    assert main(["verify", str(path), "--accept"]) == 0
    assert main(["verify", str(path)]) == 0


def test_an_older_database_file_is_noticed(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add(documents(0, 5))
    backup = (path / "collection.db").read_bytes()
    with Collection.open(path) as collection:
        collection.add(documents(5, 10))
    (path / "collection.db").write_bytes(backup)
    with pytest.raises(StorageError, match=MISSING):
        Collection.open(path)


def test_a_damaged_or_missing_mark_loses_no_data_and_is_replaced(tmp_path):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        collection.add(documents(0, 5))
    mark = Mark(path)
    generation = mark.read()
    for damaged in (b"", b"\0" * 45, mark.path.read_bytes()[:-1], mark.path.read_bytes() + b"x"):
        mark.path.write_bytes(damaged)
        (problem,) = LocalStore.verify(path)
        assert "collection.mark: is damaged" in problem
        assert problem.endswith("; no document is lost; the next write replaces the file")
        with Collection.open(path, read_only=True) as collection:
            assert collection.count() == 5
        Collection.open(path).close()
        assert mark.read() == generation
    mark.path.unlink()
    assert LocalStore.verify(path) == []
    Collection.open(path).close()
    assert mark.read() == generation


def test_every_process_raises_the_mark_and_none_lowers_it(tmp_path):
    path = tmp_path / "c"
    Collection.create(path, configuration()).close()
    children = []
    for child in range(3):
        pid = os.fork()
        if pid == 0:  # pragma: no cover - another process
            code = 1
            try:
                with Collection.open(path) as collection:
                    for i in range(8):
                        collection.add(documents(100 * child + i, 100 * child + i + 1))
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
    with closing(sqlite3.connect(path / "collection.db")) as database:
        (generation,) = database.execute(
            "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation'"
        ).fetchone()
    assert Mark(path).read() == generation >= 24
    Mark(path).raise_to(1)
    assert Mark(path).read() == generation


def test_a_write_succeeds_if_the_mark_cannot_be_written(tmp_path, caplog):
    path = tmp_path / "c"
    with Collection.create(path, configuration()) as collection:
        (path / "collection.mark").unlink()
        (path / "collection.mark").mkdir()
        collection.add(documents(0, 5))
        assert collection.count() == 5
    assert "cannot be written" in caplog.text
