"""What a sync reads, writes and keeps when files change or cannot be read."""

from __future__ import annotations

import gzip
import json
import os

import pytest

import twindex
from twindex.core import InvalidInputError, SourceError
from twindex.search.syncing import reading

from .folders import (
    LEXICAL,
    NOTES,
    changes,
    expected,
    records,
    syncer,
    texts,
    write,
    write_zip,
)

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


def test_excluded_files_have_no_document(collection, notes):
    syncer(collection, notes).run()
    report = syncer(collection, notes, exclude=["sub"]).run()
    assert (len(report.removed), report.deleted) == (2, 2)
    assert set(texts(collection)) == {"a.md", "b.txt"}


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
    original = reading.FileReader.read

    def read(self, path, name=None, on_error=None):
        if name != "a.md":
            yield from original(self, path, name, on_error)
            return
        on_error(SourceError("pip install it", path=path, reason="extra not installed"))

    with monkeypatch.context() as patched:
        patched.setattr(reading.FileReader, "read", read)
        assert syncer(collection, notes).run().reasons == {"extra not installed": 1}
    report = syncer(collection, notes).run()
    assert (report.reread, report.documents, report.unchanged) == (1, 1, 3)
    assert texts(collection) == expected(notes)


def test_strict_raises_the_first_problem(collection, notes):
    (notes / "a.md").write_bytes(b"\xff\x00")
    with pytest.raises(SourceError, match=r"a\.md"):
        syncer(collection, notes, strict=True).run()
