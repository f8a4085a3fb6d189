"""A purge leaves no byte of a document in the folder, and its proof says what it found."""

from __future__ import annotations

import pytest

from twindex.core import (
    ConflictError,
    Document,
    GoneError,
    InvalidInputError,
    NotFoundError,
    UnsupportedByStoreError,
)
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig
from twindex.index import CollectionConfig, DenseLeg, HistoryConfig, LexicalLeg
from twindex.search import Collection

LEGS = {
    "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake")),
    "lexical": LexicalLeg(encoder=AnalyzerConfig(language="none", stem=False)),
}
SECRET = "zanzibarium"
LONG = " ".join(f"{SECRET} passes {n:04d} quietly" for n in range(400))


def files_with(folder, *needles: bytes) -> list[str]:
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


def fill(folder, history: HistoryConfig | None) -> Collection:
    collection = Collection.create(folder, CollectionConfig(legs=LEGS, history=history))
    collection.add([Document(f"k{n}", f"kiwi bird {n}", metadata={"n": n}) for n in range(50)])
    collection.add([Document("x", LONG, title=f"{SECRET} title", metadata={"who": f"{SECRET}who"})])
    collection.seal()
    collection.add([Document("x", f"now only {SECRET} briefly")])
    collection.add([Document("x", f"at last {SECRET} again", metadata={"m": 1})])
    return collection


@pytest.mark.parametrize("history", [None, HistoryConfig()])
@pytest.mark.parametrize("state", ["delta", "sealed", "merged", "deleted"])
def test_no_file_contains_a_purged_document(tmp_path, history, state):
    folder = tmp_path / "c"
    with fill(folder, history) as collection:
        if state != "delta":
            collection.seal()
        if state == "merged":
            collection.merge()
        if state == "deleted":
            collection.delete(["x"])
        reader = Collection.open(folder, read_only=True)
        assert reader.search("kiwi").hits
        assert files_with(folder, SECRET.encode())
        proof = collection.purge(["x", "unknown"])
        assert files_with(folder, SECRET.encode()) == []
        assert proof.found == {}
        assert proof.after > proof.before
        stored = history is not None or state != "deleted"
        assert proof.documents == stored
        assert proof.versions == (3 if history else int(stored))
        assert (proof.pieces > 0) == stored
        assert list(proof.not_found) == (["unknown"] if stored else ["x", "unknown"])
        assert proof.files >= 5
        assert proof.bytes > 4096
        for one in (collection, reader):
            assert [hit.id for hit in one.search(SECRET, legs=["lexical"])] == []
            assert one.count() == 50
            assert len(one.search("kiwi", limit=60).hits) == 50
        if history:
            commit = proof.before
            assert collection.count() == len(collection.documents(as_of=commit))
            with pytest.raises(NotFoundError):
                collection.get("x", as_of=commit)
            with pytest.raises((NotFoundError, GoneError)):
                collection.revert("x", 51)
        assert collection.verify() == []
        reader.close()


def test_a_filter_purges_a_document_of_which_any_version_meets_it(tmp_path):
    with fill(tmp_path / "c", HistoryConfig()) as collection:
        proof = collection.purge(filter={"who": f"{SECRET}who"})
        assert (proof.documents, proof.versions, proof.found) == (1, 3, {})
        assert files_with(tmp_path / "c", SECRET.encode()) == []


def test_a_piece_that_another_document_contains_is_no_trace(tmp_path):
    with fill(tmp_path / "c", None) as collection:
        collection.add([Document("y", f"at last {SECRET} again")])
        proof = collection.purge(["x"])
        assert (proof.found, proof.shared) == ({}, 1)
        assert collection.get("y").text == f"at last {SECRET} again"


def test_snapshots_that_hold_a_purged_document_are_named(tmp_path):
    with fill(tmp_path / "c", HistoryConfig()) as collection:
        first = collection.snapshot(tmp_path / "kept")
        assert list(collection.purge(["x"], snapshots=[tmp_path / "kept"]).snapshots) == [
            first.name
        ]
        collection.snapshot(tmp_path / "kept")
        again = collection.purge(["x"], snapshots=[tmp_path / "kept"])
        assert list(again.snapshots) == [first.name]


def test_wrong_calls_are_refused(tmp_path):
    with fill(tmp_path / "c", None) as collection:
        for wrong in ({}, {"ids": ["x"], "filter": {"m": 1}}):
            with pytest.raises(InvalidInputError, match="exactly one"):
                collection.purge(**wrong)
        with pytest.raises(InvalidInputError):
            collection.purge(filter={})
        with pytest.raises(UnsupportedByStoreError):
            collection.within({"m": 1}).purge(["x"])
        collection.read_only = True
        with pytest.raises(ConflictError):
            collection.purge(["x"])
        assert collection.get("x").text
