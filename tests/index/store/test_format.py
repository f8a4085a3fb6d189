"""The format of a collection on disk: this release reads collections of the previous one."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from twindex.core import CorruptFileError, StorageError
from twindex.index import CollectionConfig, LocalStore
from twindex.index.store.database.meta import set_meta
from twindex.search import Collection

from .damage import configuration

WRITTEN = Path(__file__).with_name("written")
"""Contains collection.tar.gz and found.json of an earlier commit; see `written/write.py`."""


@pytest.fixture
def written(tmp_path):
    """A collection that an earlier commit wrote."""
    with tarfile.open(WRITTEN / "collection.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "collection"


def hits(collection, query, **fields):
    return [[hit.id, hit.score] for hit in collection.search(query, limit=20, **fields).hits]


def test_a_collection_of_an_earlier_commit_returns_the_same_hits(written):
    found = json.loads((WRITTEN / "found.json").read_text())
    assert LocalStore.verify(written) == []
    with Collection.open(written) as collection:
        assert collection.count() == found["count"]
        for case in found["searches"]:
            now = hits(collection, case["query"], **case["fields"])
            assert [name for name, _ in now] == [name for name, _ in case["hits"]], case
            assert [score for _, score in now] == pytest.approx([s for _, s in case["hits"]])
        assert collection.config == CollectionConfig.stored(found["config"])
        assert not collection.config.passages.structure  # As documents were cut then.
        assert not collection.config.passages.headings


def test_a_collection_of_an_earlier_commit_can_be_changed(written):
    with Collection.open(written) as collection:
        before = hits(collection, "kiwi shore", legs=[{"name": "lexical"}])
        collection.add([{"id": "new", "text": "a new heron"}])
        collection.delete(["new"])
        assert collection.merge()
        assert collection.verify() == []
        assert hits(collection, "kiwi shore", legs=[{"name": "lexical"}]) == before


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("other", ["3", "9"])
def test_another_format_is_refused(tmp_path, read_only, other):
    collection = Collection.create(tmp_path / "c", configuration())
    with collection, collection.store.database.write() as connection:
        set_meta(connection, "format", other)
    with pytest.raises(StorageError, match=f"has format {other}, and this release reads 2"):
        Collection.open(tmp_path / "c", read_only=read_only)


def test_format_1_without_checksums_is_refused(tmp_path):
    Collection.create(tmp_path / "c", configuration()).close()
    with closing(sqlite3.connect(tmp_path / "c" / "collection.db")) as database, database:
        database.execute("ALTER TABLE meta DROP COLUMN crc")
        database.execute("UPDATE meta SET value = '1' WHERE key = 'format'")
    with pytest.raises(StorageError, match="has format 1, and this release reads 2"):
        Collection.open(tmp_path / "c")


def test_a_flipped_bit_in_the_format_is_reported_as_damage(tmp_path):
    Collection.create(tmp_path / "c", configuration()).close()
    with closing(sqlite3.connect(tmp_path / "c" / "collection.db")) as database, database:
        database.execute("UPDATE meta SET value = '3' WHERE key = 'format'")
    with pytest.raises(CorruptFileError, match="'format' in table meta is damaged"):
        Collection.open(tmp_path / "c")
