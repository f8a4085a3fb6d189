"""Collections of format 1, which has no checksums: read as they are, migrated by a write."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from twindex.core import CorruptFileError, StorageError
from twindex.index import LocalStore
from twindex.index.store.database.meta import set_meta
from twindex.search import Collection

from .damage import configuration, documents, fill, observe, to_format_1

IDS = [f"n{i}" for i in range(72)]


@pytest.fixture
def old(tmp_path):
    """A collection of format 1 and what it answers."""
    with Collection.create(tmp_path / "c", configuration()) as collection:
        fill(collection)
        expected = observe(collection, IDS)
    to_format_1(tmp_path / "c")
    return tmp_path / "c", expected


def format_of(path: Path) -> str:
    with closing(sqlite3.connect(path / "collection.db")) as database:
        return str(database.execute("SELECT value FROM meta WHERE key = 'format'").fetchone()[0])


def digest(path: Path) -> str:
    return hashlib.sha256((path / "collection.db").read_bytes()).hexdigest()


def test_reading_a_collection_of_format_1_leaves_it_as_it_is(old):
    path, expected = old
    before = digest(path)
    with Collection.open(path, read_only=True) as collection:
        assert observe(collection, IDS) == expected
        assert collection.verify() == []
    assert LocalStore.verify(path) == []
    assert digest(path) == before
    assert not (path / "collection.mark").exists()


def test_opening_a_collection_of_format_1_to_write_migrates_it(old):
    path, expected = old
    with Collection.open(path) as collection:
        assert format_of(path) == "2"
        assert observe(collection, IDS) == expected
        assert collection.verify() == []
        last = collection.info()["sealed"]
        collection.add(documents(80, 82))
        collection.merge()
        assert collection.info()["sealed"] == last + 12, (
            "numbers of deleted documents come not again"
        )
        assert collection.verify() == []
    with Collection.open(path) as collection:
        assert collection.get("n81").title == "Title 81"
        assert collection.get("n30").text == expected["get n30"][2]
    assert LocalStore.verify(path) == []


def test_an_interrupted_build_of_format_1_continues(tmp_path):
    LocalStore.create(tmp_path / "c", configuration(), state="building").close()
    to_format_1(tmp_path / "c")
    LocalStore.open(tmp_path / "c", state="building").close()
    assert format_of(tmp_path / "c") == "2"


def test_a_failed_migration_leaves_format_1(old, monkeypatch):
    path, expected = old

    def fail(connection):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("twindex.index.store.database.migration._copy", fail)
    with pytest.raises(StorageError, match="cannot be brought to format 2: disk I/O error"):
        Collection.open(path)
    monkeypatch.undo()
    assert format_of(path) == "1"
    with Collection.open(path, read_only=True) as collection:
        assert observe(collection, IDS) == expected


def test_a_release_of_format_1_cannot_write_after_the_migration(old):
    path, _ = old
    with closing(sqlite3.connect(path / "collection.db", isolation_level=None)) as earlier:
        Collection.open(path).close()
        for insert in (
            "INSERT INTO documents (id) VALUES ('x')",
            "INSERT INTO tombstones (number) VALUES (1)",
            "INSERT OR REPLACE INTO meta (key, value) VALUES ('sealed', '0')",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
                earlier.execute(insert)
    assert LocalStore.verify(path) == []


def test_damage_is_not_migrated(old):
    path, _ = old
    data = bytearray((path / "collection.db").read_bytes())
    data[data.index(b"documentsdocuments") + 3] ^= 1
    (path / "collection.db").write_bytes(bytes(data))
    with pytest.raises(StorageError, match=r"collection\.db"):
        Collection.open(path)
    assert bytes(data) == (path / "collection.db").read_bytes()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_format_is_refused_by_name(tmp_path, read_only):
    collection = Collection.create(tmp_path / "c", configuration())
    with collection, collection.store.database.write() as connection:
        set_meta(connection, "format", "3")
    with pytest.raises(StorageError, match="has format 3, and this release reads 1 to 2"):
        Collection.open(tmp_path / "c", read_only=read_only)


def test_a_flipped_format_is_damage_and_not_another_format(tmp_path):
    Collection.create(tmp_path / "c", configuration()).close()
    with closing(sqlite3.connect(tmp_path / "c" / "collection.db")) as database, database:
        database.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
    with pytest.raises(CorruptFileError, match="'format' is damaged"):
        Collection.open(tmp_path / "c")
