"""Snapshots have the state of one commit. They are restored completely or not at all."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from twindex.core import ConflictError, CorruptFileError, InvalidInputError, NotFoundError
from twindex.core.errors import StorageError
from twindex.encoders import DenseEncoderConfig, SparseEncoderConfig
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    LexicalLeg,
    SparseLeg,
    StorageConfig,
    check_snapshot,
    open_target,
)
from twindex.search import Collection

CONFIG = CollectionConfig(
    legs={
        "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
        "sparse": SparseLeg(encoder=SparseEncoderConfig(model="fake")),
        "lexical": LexicalLeg(),
    },
    storage=StorageConfig(seal_passages=40, max_segments=2),
)


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[Collection]:
    """A collection with two segments, a tombstone and a delta."""
    with Collection.create(tmp_path / "birds", CONFIG) as collection:
        for start in (0, 30):
            collection.add({"id": f"n{i}", "text": f"bird {i}"} for i in range(start, start + 30))
            collection.seal()
        collection.delete(["n5"])
        collection.add([{"id": "late", "text": "late bird", "metadata": {"year": 1990}}])
        yield collection


def state(collection: Collection) -> dict[str, str]:
    return {document.id: document.text for document in collection.scan()}


def ranking(collection: Collection) -> list[tuple[str, float]]:
    return [(hit.id, hit.score) for hit in collection.search("late bird 7", limit=100).hits]


def test_restored_collection_has_the_same_documents_scores_and_filters(birds, tmp_path):
    made = birds.snapshot(tmp_path / "target")
    assert Collection.snapshots(tmp_path / "target") == [made]
    assert Collection.restore(tmp_path / "target", tmp_path / "copy") == made
    with Collection.open(tmp_path / "copy") as copy:
        assert state(copy) == state(birds)
        assert ranking(copy) == ranking(birds)
        assert copy.search("bird", filter={"year": 1990}).hits[0].id == "late"
        assert copy.verify() == []
        assert (made.documents, made.collection) == (60, "birds")
        assert copy.add([{"id": "new", "text": "new"}]).documents == 1
    assert "new" not in state(birds)


def test_a_read_only_collection_can_be_copied(birds, tmp_path):
    with Collection.open(tmp_path / "birds", read_only=True) as reader:
        assert reader.snapshot(tmp_path / "target").documents == 60


def test_snapshot_taken_during_writes_has_the_state_of_one_commit(tmp_path):
    stop = threading.Event()
    with Collection.create(tmp_path / "c", CONFIG) as collection:

        def write() -> None:
            i = 0
            while not stop.is_set():
                collection.add([{"id": f"{i:06d}", "text": f"bird {i}"}])
                collection.delete([f"{i - 50:06d}"])
                i += 1

        writer = threading.Thread(target=write)
        writer.start()
        try:
            while collection.count() < 50:
                time.sleep(0.01)
            made = [collection.snapshot(tmp_path / "t", rate=2_000_000) for _ in range(3)]
        finally:
            stop.set()
            writer.join()
    generations = [one.generation for one in made]
    assert generations == sorted(set(generations))
    for one in made:
        copy = tmp_path / one.name
        Collection.restore(tmp_path / "t", copy, snapshot=one.name)
        with Collection.open(copy) as restored:
            ids = sorted(state(restored))
            last = int(ids[-1])
            # A write of one document and the deletion of an older one alternate.
            first = last - len(ids) + 1
            assert ids == [f"{i:06d}" for i in range(first, last + 1)]
            assert len(ids) in (50, 51)
            assert len(ids) == one.documents
            assert restored.verify() == []


def test_a_merge_during_a_snapshot_neither_waits_nor_takes_files_away(birds, tmp_path):
    reached, go_on = threading.Event(), threading.Event()

    class Slow:
        def start(self, *arguments, **options):
            reached.set()
            go_on.wait(30)

        def advance(self, n=1): ...

        def close(self): ...

    found = []
    copier = threading.Thread(
        target=lambda: found.append(birds.snapshot(tmp_path / "t", progress=Slow()))
    )
    copier.start()
    assert reached.wait(30)
    before = state(birds)
    birds.merge()
    birds.delete(["n1"])
    go_on.set()
    copier.join()
    assert len(birds.info()["segments"]) == 1
    Collection.restore(tmp_path / "t", tmp_path / "copy")
    with Collection.open(tmp_path / "copy") as copy:
        assert state(copy) == before
        assert len(copy.info()["segments"]) == 2


def test_jobs_of_a_server_are_not_copied(birds, tmp_path):
    from twindex.index.store.jobs import JobStore

    jobs = JobStore(tmp_path / "birds")
    jobs.create(jobs.new_id(), "merge", total=None, unit="passages")
    birds.snapshot(tmp_path / "t")
    assert len(jobs.latest()) == 1
    jobs.close()
    Collection.restore(tmp_path / "t", tmp_path / "copy")
    jobs = JobStore(tmp_path / "copy")
    assert jobs.latest() == []
    jobs.close()


@pytest.mark.parametrize("change", ["flip", "truncate", "extend", "remove"])
def test_a_damaged_snapshot_is_named_and_not_restored(birds, tmp_path, change):
    made = birds.snapshot(tmp_path / "t")
    target = open_target(tmp_path / "t")
    for number, name in enumerate(made.files):
        path = tmp_path / "t" / made.name / name
        whole = path.read_bytes()
        if not whole:
            continue
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        if change == "remove":
            path.unlink()
        else:
            path.write_bytes(
                {"flip": flipped, "truncate": whole[:-1], "extend": whole + b"x"}[change]
            )
        (problem,) = check_snapshot(target, made.name)
        assert str(path) in problem
        if number % 9 == 0:
            with pytest.raises(CorruptFileError, match="restore another snapshot"):
                Collection.restore(tmp_path / "t", tmp_path / "copy")
            assert not (tmp_path / "copy").exists()
        path.write_bytes(whole)
    assert check_snapshot(target, made.name) == []
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".restore")] == []


def test_every_changed_byte_of_a_manifest_is_noticed(birds, tmp_path):
    made = birds.snapshot(tmp_path / "t")
    manifest = tmp_path / "t" / made.name / "snapshot.json"
    whole = manifest.read_bytes()
    for place in range(0, len(whole), 17):
        manifest.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(StorageError) as caught:
            Collection.snapshots(tmp_path / "t")
        assert "snapshot.json" in str(caught.value)


def test_a_manifest_cannot_name_files_outside_the_snapshot(birds, tmp_path):
    from twindex.index.store.backup.manifest import _digest

    made = birds.snapshot(tmp_path / "t")
    manifest = tmp_path / "t" / made.name / "snapshot.json"
    value = json.loads(manifest.read_text())
    del value["sha256"]
    for name in ("segments/../../x", "/etc/x", "segments/a\\b", "collection.mark"):
        changed = {**value, "files": {**value["files"], name: [1, "0"]}}
        manifest.write_text(json.dumps({**changed, "sha256": _digest(changed)}))
        with pytest.raises(CorruptFileError, match="it names the file"):
            Collection.restore(tmp_path / "t", tmp_path / "copy")


def test_a_damaged_segment_is_never_copied(birds, tmp_path):
    path = next(p for p in (tmp_path / "birds" / "segments").rglob("*") if p.is_file())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptFileError) as caught:
        birds.snapshot(tmp_path / "t")
    assert caught.value.path == path
    assert os.listdir(tmp_path / "t") == []


def test_retention_keeps_the_newest_even_if_the_clock_moved_back(birds, tmp_path, monkeypatch):
    names = []
    for year in (2030, 2029, 2031, 2028):
        monkeypatch.setattr(time, "gmtime", lambda year=year: time.struct_time((year, *[1] * 8)))
        names.append(birds.snapshot(tmp_path / "t").name)
    monkeypatch.undo()
    assert [one.name for one in Collection.snapshots(tmp_path / "t")] == names
    names.append(birds.snapshot(tmp_path / "t", keep=2).name)
    assert [one.name for one in Collection.snapshots(tmp_path / "t")] == names[-2:]


def test_retention_leaves_snapshots_of_other_collections(birds, tmp_path):
    with Collection.create(tmp_path / "emus", CONFIG) as emus:
        emus.snapshot(tmp_path / "t")
    birds.snapshot(tmp_path / "t", keep=1)
    birds.snapshot(tmp_path / "t", keep=1)
    found = Collection.snapshots(tmp_path / "t")
    assert sorted(one.collection for one in found) == ["birds", "emus"]
    with pytest.raises(StorageError, match=r"several collections \(birds, emus\)"):
        Collection.restore(tmp_path / "t", tmp_path / "copy")


def test_a_used_folder_is_not_restored_into(birds, tmp_path):
    birds.snapshot(tmp_path / "t")
    with pytest.raises(ConflictError, match="already contains a collection"):
        Collection.restore(tmp_path / "t", tmp_path / "birds")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".hidden").touch()
    with pytest.raises(ConflictError, match="is not empty"):
        Collection.restore(tmp_path / "t", tmp_path / "other")
    (tmp_path / "other" / ".hidden").unlink()
    Collection.restore(tmp_path / "t", tmp_path / "other")
    with Collection.open(tmp_path / "other") as other:
        assert other.count() == 60


def test_what_does_not_exist_is_named(birds, tmp_path):
    with pytest.raises(NotFoundError, match="there are no snapshots"):
        Collection.restore(tmp_path / "none", tmp_path / "copy")
    birds.snapshot(tmp_path / "t")
    with pytest.raises(NotFoundError, match=r"there is no snapshot '\.\./birds'"):
        Collection.restore(tmp_path / "t", tmp_path / "copy", snapshot="../birds")
    with pytest.raises(InvalidInputError, match="'ftp://x' has an unknown kind of address"):
        birds.snapshot("ftp://x")
    with pytest.raises(InvalidInputError, match="keep: must be an integer between 1"):
        birds.snapshot(tmp_path / "t", keep=0)


def test_rate_limits_the_speed(birds, tmp_path):
    began = time.monotonic()
    size = birds.snapshot(tmp_path / "t").bytes
    quick = time.monotonic() - began
    began = time.monotonic()
    birds.snapshot(tmp_path / "t", rate=size)
    assert time.monotonic() - began > max(0.9, quick)


def test_command_line_makes_lists_checks_and_restores_snapshots(birds, tmp_path, capsys):
    from twindex.api.cli.main import main

    target = str(tmp_path / "t")
    for _ in range(3):
        arguments = ["snapshot", str(tmp_path / "birds"), target, "--keep", "2"]
        assert main([*arguments, "--json", "--quiet"]) == 0
        made = json.loads(capsys.readouterr().out)
    assert main(["snapshots", target, "--verify", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)["snapshots"]
    assert [one["problems"] for one in found] == [[], []]
    assert found[-1]["name"] == made["name"]
    assert main(["restore", target, str(tmp_path / "copy"), "--quiet"]) == 0
    assert capsys.readouterr().out.startswith(f"{made['name']}: 60 documents, ")
    assert main(["verify", str(tmp_path / "copy")]) == 0
    shutil.rmtree(tmp_path / "t" / made["name"] / "segments")
    assert main(["snapshots", target, "--verify", "--quiet"]) == 1
    assert "is missing" in capsys.readouterr().out
    assert main(["snapshots", str(tmp_path / "empty")]) == 0
