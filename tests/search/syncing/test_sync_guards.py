"""Other writes, ids of several files, protection against empty folders, and arguments."""

from __future__ import annotations

import shutil

import pytest

import twindex
from twindex.core import ConfigError, ConflictError, InvalidInputError, SourceError
from twindex.index.arrays.files import exclusive
from twindex.search import Collection, build

from .folders import (
    LEXICAL,
    WITH_VECTORS,
    changes,
    expected,
    note,
    records,
    syncer,
    texts,
    write,
    write_lines,
)

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


def test_vectors_of_records_are_written_and_deleted(tmp_path):
    config = twindex.CollectionConfig.parse(
        {
            "legs": {
                "dense": {
                    "kind": "dense",
                    "encoder": {"kind": "external", "model": "mine", "dimensions": 2},
                },
            }
        }
    )
    lines = [{"id": id_, "text": id_, "vectors": {"dense": [n, 1.0]}} for n, id_ in enumerate("ab")]
    path = write_lines(tmp_path / "lines.jsonl", lines)
    assert twindex.sync(tmp_path / "c", path, config).documents == 2
    assert twindex.sync(tmp_path / "c", path).documents == 0
    write_lines(path, lines[1:])
    predicted = twindex.sync(tmp_path / "c", path, dry_run=True)
    report = twindex.sync(tmp_path / "c", path)
    assert changes(predicted) == changes(report)
    assert (report.documents, report.deleted) == (1, 1)
    write_lines(path, [{**lines[1], "vectors": {"dense": [1.0]}}])
    report = twindex.sync(tmp_path / "c", path)
    assert (report.reasons, report.kept, report.deleted) == ({"invalid": 1}, 1, 0)


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
        with pytest.raises(ConflictError, match=r"9 of 1\d documents.*no document was deleted"):
            syncer(collection, path, max_removed=0.5).run()
    assert set(texts(collection)) == {*map(str, range(10)), "new"}
    records(path, [*map(str, range(10)), "new"])
    report = syncer(collection, path, max_removed=0.5).run()
    assert (report.documents, report.deleted) == (0, 0)
    records(path, ["0", "new"])
    assert syncer(collection, path, max_removed=1).run().deleted == 9


def _lose_six_of_ten(folder):
    """Four documents stay, six are lost (one file is empty now), and two are new."""
    for number in range(5):
        (folder / f"f{number}.md").unlink()
    (folder / "f5.md").write_text("")
    write(folder, {"n.md": "new", "m.md": "new too"})


def test_a_refused_sync_is_refused_again(collection, tmp_path):
    folder = write(tmp_path / "sz", {f"f{number}.md": f"text {number}" for number in range(10)})
    syncer(collection, folder).run()
    _lose_six_of_ten(folder)
    for count in (10, 12, 12):
        with pytest.raises(ConflictError, match=f"6 of {count} documents.*would be deleted"):
            syncer(collection, folder, max_removed=0.5).run()
    assert collection.count() == 12
    write(folder, {f"more{number}.md": "more" for number in range(10)})
    with pytest.raises(ConflictError, match="after the last complete sync, there were 10"):
        syncer(collection, folder, max_removed=0.5).run()
    assert syncer(collection, folder, max_removed=1).run().deleted == 6
    (folder / "n.md").unlink()
    assert syncer(collection, folder, max_removed=0.5).run().deleted == 1
    assert collection.verify() == []


def test_a_refused_sync_of_an_older_collection_is_refused_again(collection, tmp_path):
    folder = write(tmp_path / "sz", {f"f{number}.md": f"text {number}" for number in range(10)})
    syncer(collection, folder).run()
    with collection.store.database.write() as connection:
        connection.execute("DELETE FROM meta WHERE key = 'synced.complete'")
    _lose_six_of_ten(folder)
    for _ in range(2):
        with pytest.raises(ConflictError, match=r"6 of 1\d documents"):
            syncer(collection, folder, max_removed=0.5).run()


def test_a_killed_sync_does_not_weaken_the_protection(collection, tmp_path, monkeypatch):
    folder = write(tmp_path / "sz", {f"f{number}.md": f"text {number}" for number in range(10)})
    syncer(collection, folder).run()
    _lose_six_of_ten(folder)
    with monkeypatch.context() as patch:
        patch.setattr("twindex.search.syncing.run._doomed", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            syncer(collection, folder, max_removed=0.5).run()
    assert collection.count() == 12
    with pytest.raises(ConflictError, match="6 of 12"):
        syncer(collection, folder, max_removed=0.5).run()


def test_a_refused_dry_run_says_that_nothing_was_changed(collection, tmp_path):
    folder = write(tmp_path / "sz", {f"f{number}.md": f"text {number}" for number in range(10)})
    syncer(collection, folder).run()
    _lose_six_of_ten(folder)
    with pytest.raises(ConflictError, match=r"6 of 10 documents.*; nothing was changed"):
        syncer(collection, folder, max_removed=0.5).dry_run()
    assert collection.count() == 10


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


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"paths": 7}, "paths: must be a path, or a list of paths, got 7"),
        ({"paths": ["notes", 7]}, r"paths\[1\]: must be"),
        ({"dry_run": 1}, "dry_run: must be"),
        ({"limits": "many"}, "limits: must be a Limits"),
        ({"fields": {"id": "key"}}, "fields: must be a FieldNames"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, notes, given, message):
    with pytest.raises(InvalidInputError, match=message):
        twindex.sync(tmp_path / "c", **{"paths": notes, "config": LEXICAL, **given})
    assert not (tmp_path / "c").exists()


def test_no_source_is_refused(tmp_path):
    with pytest.raises(InvalidInputError, match="at least one"):
        twindex.sync(tmp_path / "c", [], LEXICAL)
    assert not (tmp_path / "c").exists()


def test_a_collection_opened_for_reading_is_not_synced(tmp_path, notes):
    twindex.sync(tmp_path / "c", notes, LEXICAL)
    with (
        Collection.open(tmp_path / "c", read_only=True) as collection,
        pytest.raises(ConflictError, match="read-only"),
    ):
        syncer(collection, notes).run()


def test_two_syncs_at_once_are_refused(collection, notes):
    with (
        exclusive(collection.path / "sync.lock", wait=False),
        pytest.raises(ConflictError, match="another process is syncing"),
    ):
        syncer(collection, notes).run()
