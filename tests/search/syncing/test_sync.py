"""What a sync reads, writes, deletes, keeps and reports."""

from __future__ import annotations

import gzip
import json
import os
import shutil

import pytest

import twindex
from twindex.core import ConfigError, ConflictError, InvalidInputError, SourceError
from twindex.index.arrays.files import exclusive
from twindex.search import Collection, build
from twindex.search.writing import sync_reading

from .folders import (
    LEXICAL,
    WITH_VECTORS,
    changes,
    expected,
    note,
    syncer,
    texts,
    write,
    write_zip,
)

NOTES = {"a.md": "# Kiwi\n\ncannot fly", "b.txt": "swift", "sub/c.md": "heron", "sub/d.md": "owl"}


@pytest.fixture
def notes(tmp_path):
    return write(tmp_path / "notes", NOTES)


@pytest.fixture
def collection(tmp_path):
    with Collection.create(tmp_path / "c", WITH_VECTORS) as made:
        yield made


@pytest.fixture
def settled(monkeypatch):
    """Let files count as old. Return a list of the files whose content is read for a checksum."""
    monkeypatch.setattr(sync_reading, "_SETTLED_NS", -(10**18))
    read = []
    original = sync_reading.digest
    monkeypatch.setattr(
        sync_reading, "digest", lambda path: read.append(path.name) or original(path)
    )
    return read


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def records(path, ids, text="record"):
    return write_lines(path, [{"id": id_, "text": text} for id_ in ids])


# -- new, changed and removed files --------------------------------------------------------


def test_a_sync_creates_the_collection_and_updates_it(tmp_path, notes):
    report = twindex.sync(tmp_path / "c", notes, LEXICAL)
    assert (len(report.new), report.documents, report.passages) == (4, 4, 4)
    write(notes, {"a.md": "changed", "new.md": "new"})
    (notes / "b.txt").unlink()
    report = twindex.sync(tmp_path / "c", str(notes))
    assert (report.new, report.changed, report.removed) == (
        [notes / "new.md"],
        [notes / "a.md"],
        [notes / "b.txt"],
    )
    assert (report.unchanged, report.documents, report.replaced, report.deleted) == (2, 2, 1, 1)
    with twindex.open(tmp_path / "c") as collection:
        assert texts(collection) == expected(notes)
        assert collection.search("changed").hits[0].id == "a.md"
        assert collection.search("swift").total == 0


def test_a_dry_run_changes_nothing_and_creates_nothing(tmp_path, notes):
    predicted = twindex.sync(tmp_path / "c", notes, LEXICAL, dry_run=True)
    assert not (tmp_path / "c").exists()
    assert changes(predicted) == changes(twindex.sync(tmp_path / "c", notes, LEXICAL))
    write(notes, {"a.md": "changed"})
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")}
    predicted = twindex.sync(tmp_path / "c", notes, dry_run=True)
    assert (predicted.dry_run, predicted.passages, predicted.replaced) == (True, 0, 1)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")} == files
    assert changes(predicted) == changes(twindex.sync(tmp_path / "c", notes))


def test_unchanged_files_are_neither_read_nor_encoded(collection, notes, settled):
    syncing = syncer(collection, notes)
    assert syncing.run().passages == 4
    settled.clear()
    assert (syncing.run().unchanged, settled) == (4, [])
    os.utime(notes / "a.md")
    report = syncing.run()
    assert (report.unchanged, report.passages, settled) == (4, 0, ["a.md"])
    settled.clear()
    assert (syncing.run().unchanged, settled) == (4, [])


def test_a_change_within_the_same_clock_tick_is_noticed(collection, notes):
    syncing = syncer(collection, notes)
    syncing.run()
    found = (notes / "b.txt").stat()
    (notes / "b.txt").write_text("robin")  # As long as before.
    os.utime(notes / "b.txt", ns=(found.st_atime_ns, found.st_mtime_ns))
    assert syncing.run().changed == [notes / "b.txt"]
    assert texts(collection)["b.txt"] == "robin"


def test_reread_reads_unchanged_files(collection, notes, settled):
    syncer(collection, notes).run()
    report = syncer(collection, notes, reread=True).run()
    assert (report.reread, report.unchanged, report.documents, report.passages) == (4, 0, 0, 0)


def test_a_renamed_file_is_a_new_and_a_removed_one(collection, notes):
    syncer(collection, notes).run()
    (notes / "a.md").rename(notes / "z.md")
    report = syncer(collection, notes).run()
    assert (report.new, report.removed) == ([notes / "z.md"], [notes / "a.md"])
    assert texts(collection) == expected(notes)


def test_only_changed_members_of_an_archive_are_encoded(collection, tmp_path):
    archive = tmp_path / "old.zip"
    write_zip(archive, {"a.md": "kiwi", "b.md": "swift", "c.md": "heron"})
    os.utime(archive, (0, 0))
    syncer(collection, archive).run()
    write_zip(archive, {"a.md": "kiwi", "b.md": "owl"})
    report = syncer(collection, archive).run()
    assert (report.documents, report.passages, report.deleted) == (1, 1, 1)
    assert texts(collection) == expected(archive)


def test_files_of_records_and_several_sources(collection, tmp_path, notes):
    table = tmp_path / "table.csv"
    table.write_text("id,text,bird\n1,kiwi,yes\n2,bread,no\n")
    lines = records(tmp_path / "lines.jsonl", "abc")
    single = write(tmp_path, {"single.md": "one file"}) / "single.md"
    sources = [notes, table, lines, single, notes]
    syncer(collection, *sources).run()
    assert texts(collection) == expected(*sources)
    table.write_text("id,text,bird\n2,bread,no\n3,owl,yes\n")
    report = syncer(collection, table).run()
    assert (report.documents, report.deleted) == (1, 1)
    assert texts(collection) == expected(*sources)
    assert collection.count({"bird": "yes"}) == 1


# -- files that cannot be read ---------------------------------------------------------------


def test_a_damaged_file_keeps_its_document_and_is_reported_each_time(collection, notes, settled):
    syncing = syncer(collection, notes)
    syncing.run()
    (notes / "a.md").write_bytes(b"\xff\xfe\x00kiwi")
    for _ in range(2):
        report = syncing.run()
        assert (report.deleted, report.kept, report.reasons) == (0, 1, {"damaged": 1})
        assert [error.path for error in report.problems] == [notes / "a.md"]
        assert "cannot fly" in texts(collection)["a.md"]
    write(notes, {"a.md": "healthy"})
    assert syncing.run().problems == []
    assert texts(collection) == expected(notes)


def test_an_empty_file_loses_its_document(collection, notes):
    syncer(collection, notes).run()
    (notes / "a.md").write_text("")
    report = syncer(collection, notes).run()
    assert (report.deleted, report.kept, report.reasons) == (1, 0, {"empty": 1})
    assert "a.md" not in texts(collection)


def test_a_broken_link_keeps_the_document(collection, notes, tmp_path):
    (notes / "a.md").rename(tmp_path / "target.md")
    (notes / "a.md").symlink_to(tmp_path / "target.md")
    syncer(collection, notes).run()
    (tmp_path / "target.md").unlink()
    report = syncer(collection, notes).run()
    assert (report.deleted, report.kept, len(report.problems)) == (0, 1, 1)
    assert "a.md" in texts(collection)


def test_what_the_system_refuses_to_read_keeps_its_documents(reachable, as_nobody):
    reachable.chmod(0o777)
    notes = write(reachable / "notes", NOTES)

    def work():
        twindex.sync(reachable / "c", notes, LEXICAL)

    as_nobody(work)
    (notes / "sub").chmod(0)
    (notes / "a.md").chmod(0)

    def again():
        report = twindex.sync(reachable / "c", notes)
        assert (report.deleted, report.kept, report.reasons) == (0, 3, {"unreadable": 2})
        with twindex.open(reachable / "c") as collection:
            assert set(texts(collection)) == set(NOTES)

    as_nobody(again)
    notes.chmod(0)

    def hidden():
        assert twindex.sync(reachable / "c", notes).kept == 4

    as_nobody(hidden)


def test_an_unreadable_member_keeps_its_own_document_only(collection, tmp_path):
    archive = tmp_path / "old.zip"
    write_zip(archive, {"a.md": "kiwi", "b.md": "swift", "c.md": "heron"})
    syncer(collection, archive).run()
    write_zip(archive, {"a.md": "new kiwi", "b.md": b"\xff\x00"})
    report = syncer(collection, archive).run()
    assert (report.deleted, report.kept, report.reasons) == (1, 1, {"damaged": 1})
    assert texts(collection) == {"old.zip/a.md": "new kiwi", "old.zip/b.md": "swift"}
    archive.write_bytes(archive.read_bytes()[:40])
    report = syncer(collection, archive).run()
    assert (report.deleted, report.kept) == (0, 2)


def test_a_truncated_file_of_records_keeps_its_documents(collection, tmp_path):
    path = tmp_path / "lines.jsonl.gz"
    lines = "".join(json.dumps({"id": f"r{n}", "text": f"{n}" * 99}) + "\n" for n in range(500))
    path.write_bytes(gzip.compress(lines.encode()))
    syncer(collection, path).run()
    path.write_bytes(path.read_bytes()[:-200])
    report = syncer(collection, path).run()
    assert (report.deleted, len(report.problems)) == (0, 1)
    assert report.kept > 0
    assert collection.count() == 500


def test_invalid_records_have_no_document_and_are_reported_each_time(collection, tmp_path, settled):
    path = records(tmp_path / "lines.jsonl", map(str, range(200)))
    syncer(collection, path).run()
    path.write_text(json.dumps({"id": "0", "text": "good"}) + "\n" + "bad\n" * 150)
    for _ in range(2):
        report = syncer(collection, path).run()
        assert (report.reasons, len(report.problems)) == ({"invalid": 150}, 100)
        assert texts(collection) == {"0": "good"}


def test_a_document_that_cannot_be_indexed_is_reported(collection, notes, monkeypatch):
    def check(document):
        if document.id == "b.txt":
            raise InvalidInputError("too many passages", field="text")

    monkeypatch.setattr(collection, "check_document", check)
    report = syncer(collection, notes).run()
    assert [str(one) for one in report.problems] == [f"{notes}/b.txt: text: too many passages"]
    assert set(texts(collection)) == set(NOTES) - {"b.txt"}


def test_a_missing_extra_is_tried_again(collection, notes, settled, monkeypatch):
    original = sync_reading.FileReader.read

    def read(self, path, name=None, on_error=None):
        if name != "a.md":
            yield from original(self, path, name, on_error)
            return
        on_error(SourceError("pip install it", path=path, reason="extra not installed"))

    with monkeypatch.context() as patched:
        patched.setattr(sync_reading.FileReader, "read", read)
        assert syncer(collection, notes).run().reasons == {"extra not installed": 1}
    report = syncer(collection, notes).run()
    assert (report.reread, report.documents, report.unchanged) == (1, 1, 3)
    assert texts(collection) == expected(notes)


def test_strict_raises_the_first_problem(collection, notes):
    (notes / "a.md").write_bytes(b"\xff\x00")
    with pytest.raises(SourceError, match=r"a\.md"):
        syncer(collection, notes, strict=True).run()


# -- other writes --------------------------------------------------------------------------


def test_documents_from_elsewhere_stay(collection, notes):
    collection.add([note("mine", "from elsewhere")])
    syncer(collection, notes).run()
    shutil.rmtree(notes)
    notes.mkdir()
    assert syncer(collection, notes).run().deleted == 4
    assert texts(collection) == {"mine": "from elsewhere"}


def test_a_document_that_another_write_replaced_is_not_deleted(collection, notes):
    syncer(collection, notes).run()
    collection.add([note("a.md", "replaced")])
    (notes / "a.md").unlink()
    assert syncer(collection, notes).run().deleted == 0
    assert texts(collection)["a.md"] == "replaced"
    assert syncer(collection, notes).run().deleted == 0


def test_a_document_that_another_write_changed_gets_its_file_back(collection, notes):
    syncer(collection, notes).run()
    collection.add([note("a.md", "replaced")])
    collection.delete(["b.txt"])
    report = syncer(collection, notes).run()
    assert (report.reread, report.documents, report.unchanged) == (2, 2, 2)
    assert texts(collection) == expected(notes)


def test_the_documents_of_a_build_are_not_encoded_again(tmp_path, notes):
    documents = list(twindex.sources.read_documents(notes))
    build(tmp_path / "built", documents, LEXICAL)
    report = twindex.sync(tmp_path / "built", notes)
    assert (len(report.new), report.documents, report.passages) == (4, 0, 0)
    (notes / "a.md").unlink()
    assert twindex.sync(tmp_path / "built", notes).deleted == 1


def test_a_moved_folder_keeps_its_documents(collection, notes):
    syncer(collection, notes).run()
    moved = notes.rename(notes.with_name("moved"))
    report = syncer(collection, moved).run()
    assert (report.documents, report.deleted, report.problems) == (0, 0, [])
    (moved / "a.md").unlink()
    assert syncer(collection, moved).run().deleted == 1
    write(notes, {"b.txt": "another folder"})
    report = syncer(collection, notes).run()
    assert report.reasons == {"same id": 1}
    assert texts(collection) == expected(moved)


def test_a_sync_that_is_interrupted_inside_a_file_reads_it_again(collection, tmp_path, monkeypatch):
    path = records(tmp_path / "lines.jsonl", map(str, range(40)))
    syncer(collection, path).run()
    before = path.read_text()
    records(path, map(str, range(40)), text="changed")

    def interrupt(document):
        if document.id == "20":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(collection, "check_document", interrupt)
        with pytest.raises(KeyboardInterrupt):
            syncer(collection, path).run()
    assert "changed" in texts(collection).values()
    path.write_text(before)
    assert syncer(collection, path).run().documents > 0
    assert texts(collection) == expected(path)


# -- ids of several files ------------------------------------------------------------------


def test_an_id_of_two_files_is_reported_and_passes_on(collection, tmp_path, settled):
    one = write(tmp_path / "one", {"a.md": "from one", "b.md": "b"})
    two = write(tmp_path / "two", {"a.md": "from two"})
    for _ in range(2):
        report = syncer(collection, one, two).run()
        assert report.reasons == {"same id": 1}
        (error,) = report.problems
        assert error.path == two / "a.md"
        assert str(one / "a.md") in str(error)
        assert texts(collection) == {"a.md": "from one", "b.md": "b"}
    (one / "a.md").unlink()
    report = syncer(collection, one, two).run()
    assert (report.problems, report.deleted) == ([], 0)
    assert texts(collection) == {"a.md": "from two", "b.md": "b"}


def test_a_record_that_moves_to_another_file_is_not_encoded_again(collection, tmp_path):
    one, two = records(tmp_path / "1.jsonl", "ab"), records(tmp_path / "2.jsonl", "cd")
    syncer(collection, one, two).run()
    records(one, "abd"), records(two, "c")
    report = syncer(collection, one, two).run()
    assert (report.documents, report.deleted, report.problems) == (0, 0, [])
    assert set(texts(collection)) == set("abcd")


# -- protection ----------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [True, False])
def test_an_empty_or_missing_folder_deletes_nothing(collection, notes, empty):
    syncer(collection, notes).run()
    shutil.rmtree(notes)
    if empty:
        notes.mkdir()
    for _ in range(2):
        message = r"4 of 4 documents would be deleted.*nothing was changed.*--max-removed 1"
        with pytest.raises(ConflictError, match=message):
            syncer(collection, notes, max_removed=0.5).run()
        with pytest.raises(ConflictError, match="would be deleted"):
            syncer(collection, notes, max_removed=0.5).dry_run()
    assert collection.count() == 4
    assert syncer(collection, notes, max_removed=1).run().deleted == 4


def test_each_source_is_protected_by_itself(collection, notes, tmp_path):
    many = records(tmp_path / "many.jsonl", map(str, range(100)))
    syncer(collection, many, notes).run()
    shutil.rmtree(notes)
    notes.mkdir()
    with pytest.raises(ConflictError, match="4 of 4"):
        syncer(collection, many, notes, max_removed=0.5).run()


def test_half_of_a_source_may_go(collection, notes):
    syncer(collection, notes).run()
    shutil.rmtree(notes / "sub")
    assert syncer(collection, notes, max_removed=0.5).run().deleted == 2


def test_a_file_that_lost_most_records_deletes_nothing(collection, tmp_path):
    path = records(tmp_path / "lines.jsonl", map(str, range(10)))
    syncer(collection, path).run()
    records(path, ["0", "new"])
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"9 of 1\d documents.*nothing was deleted"):
            syncer(collection, path, max_removed=0.5).run()
    assert set(texts(collection)) == {*map(str, range(10)), "new"}
    records(path, [*map(str, range(10)), "new"])
    report = syncer(collection, path, max_removed=0.5).run()
    assert (report.documents, report.deleted) == (0, 0)
    records(path, ["0", "new"])
    assert syncer(collection, path, max_removed=1).run().deleted == 9


# -- arguments -----------------------------------------------------------------------------


def test_a_missing_source_leaves_no_collection_behind(tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        twindex.sync(tmp_path / "c", tmp_path / "nothing", LEXICAL)
    assert not (tmp_path / "c").exists()


def test_an_unknown_source_of_a_collection_is_refused(collection, tmp_path):
    with pytest.raises(SourceError, match="no such file or folder"):
        syncer(collection, tmp_path / "nothing").run()


@pytest.mark.parametrize("source", ["-", "irds:beir/scifact"])
def test_sources_without_files_are_refused(tmp_path, source):
    with pytest.raises(SourceError, match="cannot be synced"):
        twindex.sync(tmp_path / "c", source, LEXICAL)


@pytest.mark.parametrize("share", [-0.1, 1.5, True, "half", None])
def test_the_share_must_be_a_share(tmp_path, notes, share):
    with pytest.raises(InvalidInputError, match=r"max_removed.*between 0 and 1"):
        twindex.sync(tmp_path / "c", notes, LEXICAL, max_removed=share)


def test_another_configuration_is_refused(tmp_path, notes):
    twindex.sync(tmp_path / "c", notes, LEXICAL)
    for dry_run in (True, False):
        with pytest.raises(ConfigError, match="legs"):
            twindex.sync(tmp_path / "c", notes, WITH_VECTORS, dry_run=dry_run)


def test_no_source_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="at least one"):
        twindex.sync(tmp_path / "c", [], LEXICAL)


def test_two_syncs_at_once_are_refused(collection, notes):
    with (
        exclusive(collection.path / "sync.lock", wait=False),
        pytest.raises(ConflictError, match="another process is syncing"),
    ):
        syncer(collection, notes).run()
