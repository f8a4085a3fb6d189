"""Damage to the record of synced files is named, and does not stop searches."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

import twindex
from twindex.core import CorruptFileError, StorageError
from twindex.index import LocalStore
from twindex.search import Collection

from .folders import LEXICAL, expected, syncer, texts, write

WRITTEN = Path(__file__).parents[2] / "index" / "store" / "written" / "collection.tar.gz"
FILES = {f"{n % 3}/note {n}.md": f"kiwi {n}" for n in range(40)}


@pytest.fixture(scope="module")
def synced(tmp_path_factory):
    """A folder with a synced collection `c` and its source `notes`."""
    root = tmp_path_factory.mktemp("synced")
    twindex.sync(root / "c", write(root / "notes", FILES), LEXICAL)
    return root


@pytest.fixture
def copied(synced, tmp_path):
    shutil.copytree(synced / "c", tmp_path / "c")
    return tmp_path / "c"


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path / "collection.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def assert_named(path: Path, source: Path, message: str) -> None:
    """Check that verify and sync name the damage, and that searches work."""
    assert message in " ".join(LocalStore.verify(path))
    with Collection.open(path) as collection:
        assert collection.search("kiwi").total == len(FILES)
        with pytest.raises(CorruptFileError, match=message):
            syncer(collection, source).run()
        with pytest.raises(CorruptFileError, match=message):
            syncer(collection, source).dry_run()
        assert collection.count() == len(FILES)


@pytest.mark.parametrize(
    ("change_to", "message"),
    [
        ("files SET source = x'2f' WHERE name = x'312f6e6f746520312e6d64'", "file '1/note 1.md'"),
        ("files SET name = x'61' WHERE number = 3", "file 'a'"),
        ("files SET state = '{}' WHERE number = 3", "synced file"),
        ("files SET number = 99 WHERE number = 3", "synced file"),
        ("documents SET id = 'x' WHERE id = '1/note 1.md'", "synced document 'x'"),
        ("documents SET file = 2 WHERE id = '1/note 1.md'", "synced document '1/note 1.md'"),
        ("documents SET number = 2 WHERE id = '1/note 1.md'", "synced document '1/note 1.md'"),
        ("documents SET live = 0 WHERE id = '1/note 1.md'", "synced document '1/note 1.md'"),
    ],
)
def test_a_changed_row_is_named(copied, synced, change_to, message):
    change(copied, f"UPDATE synced_{change_to}")
    assert_named(copied, synced / "notes", message)


def test_lost_tables_are_named(copied, synced):
    change(copied, "DROP TABLE synced_files", "DROP TABLE synced_documents")
    assert_named(copied, synced / "notes", "tables are missing")


@pytest.mark.parametrize("name", ["TABLE synced_files", "INDEX synced_documents_file"])
def test_a_lost_part_is_named(copied, name):
    change(copied, f"DROP {name}")
    with pytest.raises(CorruptFileError, match=name.split()[1]):
        Collection.open(copied)


def test_a_document_without_its_file_is_named(copied):
    change(copied, "DELETE FROM synced_files WHERE number = 3")
    assert LocalStore.verify(copied) != []


@pytest.mark.parametrize("trials", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_a_flipped_bit_in_the_record_is_named_or_harmless(copied, synced, trials):
    database = copied / "collection.db"
    data = database.read_bytes()
    with closing(sqlite3.connect(database)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    # Pages with rows of the record contain the path of the source, or many ids close together.
    marker = str(synced / "notes").encode()
    pages = [start for start in range(0, len(data), size) if marker in data[start : start + size]]
    ids = max(
        range(0, len(data), size), key=lambda start: data[start : start + size].count(b"/note ")
    )
    random_ = random.Random(1)
    named = 0
    for _ in range(trials):
        bit = 8 * random_.choice([*pages, ids]) + random_.randrange(8 * size)
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        shutil.rmtree(copied)
        shutil.copytree(synced / "c", copied)  # Also the mark, which an earlier trial may raise.
        database.write_bytes(flipped)
        problems = LocalStore.verify(copied)
        named += bool(problems)
        try:
            with Collection.open(copied) as collection:
                syncer(collection, synced / "notes").run()
                assert texts(collection) == expected(synced / "notes"), bit
        except StorageError:
            assert problems, f"verify does not name bit {bit}"
    assert named > trials // 4


def test_a_collection_without_the_record_opens_and_can_be_synced(tmp_path, synced):
    with tarfile.open(WRITTEN) as archive:
        archive.extractall(tmp_path, filter="data")
    (path,) = (one.parent for one in tmp_path.rglob("collection.db"))
    with Collection.open(path, read_only=True) as collection:
        before = texts(collection)
        report = syncer(collection, synced / "notes").dry_run()
        assert (report.documents, report.deleted) == (len(FILES), 0)
        assert collection.verify() == []
    with Collection.open(path) as collection:
        assert syncer(collection, synced / "notes").run().documents == len(FILES)
        assert texts(collection) == {**before, **expected(synced / "notes")}
        assert collection.verify() == []


def test_a_collection_that_is_not_synced_has_no_record(tmp_path):
    Collection.create(tmp_path / "c", LEXICAL).close()
    with closing(sqlite3.connect(tmp_path / "c" / "collection.db")) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "documents" in names
    assert not {"synced_files", "synced_documents"} & names


@pytest.mark.parametrize("part", ["end", pytest.param("middle", marks=pytest.mark.slow), "row"])
def test_a_damaged_parquet_file_keeps_its_documents(tmp_path: Path, part: str) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = arrow.table({"id": ["1", "2", "3"], "text": ["one", "two", "three"]})
    parquet.write_table(table, path, row_group_size=1, compression="none", use_dictionary=False)
    with Collection.create(tmp_path / "c", LEXICAL) as collection:
        run = syncer(collection, path).run
        assert run().documents == 3
        content = path.read_bytes()
        if part == "row":
            rows = {"id": ["1", None, "3"], "text": ["one", "two", "three"]}
            parquet.write_table(arrow.table(rows), path)
        elif part == "end":
            path.write_bytes(content[:-6])
        else:
            offset = parquet.ParquetFile(path).metadata.row_group(1).column(1).data_page_offset
            path.write_bytes(content[:offset] + b"\xff" * 20 + content[offset + 20 :])
        report = run()
        assert len(report.problems) == 1
        if part == "row":  # It was read to its end, and has no record "2" any more.
            assert (set(texts(collection)), report.kept) == ({"1", "3"}, 0)
            return
        assert report.reasons == {"damaged": 1}
        assert set(texts(collection)) == {"1", "2", "3"}
        assert report.kept == 3  # Rows are read in batches, and this one is damaged.
        path.write_bytes(content)
        assert (run().kept, set(texts(collection))) == (0, {"1", "2", "3"})
