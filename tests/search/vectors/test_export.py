"""An export has every document and vector, and an import of it exports the same bytes."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from twindex.core import ConflictError, InvalidInputError, StorageError
from twindex.encoders import ExternalSparseEncoderConfig, LateEncoderConfig, PassageConfig
from twindex.index import CollectionConfig, DenseLeg, Int8Codec, LexicalLeg, SparseLeg
from twindex.search import Collection, build
from twindex.sources import read_documents, read_vectors

from .own_vectors import bring, corpus, dense, encoded, external, sparse

WORDS = PassageConfig(unit="words", size=4, overlap=1, threshold=4)


def brought(part):
    return [bring(one) for one in part]


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def changed(path, config, change=list):
    """A collection with two segments, a delta, and deleted and replaced documents."""
    collection = Collection.create(path, config)
    documents = corpus(120)
    for part in (documents[:50], documents[40:80]):
        collection.add(change(part))
        collection.seal()
    collection.add(change(documents[70:]))
    collection.delete(["d3", "d55", "d119"])
    return collection


def test_export_has_the_vectors_of_every_document(tmp_path):
    with changed(tmp_path / "c", external(), brought) as collection:
        report = collection.export(tmp_path / "out")
        stored = {one.id: one for one in collection.scan()}
    assert (report.documents, report.passages) == (117, 117)
    assert report.files == {"dense": "dense.npy", "sparse": "sparse.jsonl"}
    assert set(report.left_out) == {"lexical"}
    documents, weights = (
        lines(tmp_path / "out/documents.jsonl"),
        lines(tmp_path / "out/sparse.jsonl"),
    )
    vectors = np.load(tmp_path / "out" / "dense.npy")
    assert {one["id"] for one in documents} == set(stored)
    for document, row, weight in zip(documents, vectors, weights, strict=True):
        own = stored[document["id"]]
        assert (document["text"], document["metadata"]) == (own.text, own.metadata)
        assert np.array_equal(row, dense(own.text))
        assert weight == sparse(own.text)
    about = json.loads((tmp_path / "out" / "collection.json").read_text())
    assert CollectionConfig.parse(about["config"]) == external()


@pytest.mark.parametrize("passages", [None, WORDS], ids=["whole", "cut"])
@pytest.mark.parametrize("kind", ["external", "encoded"])
def test_an_imported_export_has_the_same_bytes(tmp_path, kind, passages, monkeypatch):
    monkeypatch.setattr("twindex.index.store.view._BLOCK_WEIGHTS", 100)
    monkeypatch.setattr("twindex.index.inverted.sparse.BLOCK_POSTINGS", 60)
    config = (external if kind == "external" else encoded)()
    config = config.model_copy(update={"passages": passages or config.passages})
    change = list if kind == "encoded" else brought
    with changed(tmp_path / "c", config, change) as collection:
        first = collection.export(tmp_path / "first")
        wanted = collection.search("topic3", legs=["lexical"], limit=50).hits
    assert (first.passages > first.documents) == (passages is not None)
    files = {leg: read_vectors(tmp_path / "first" / name) for leg, name in first.files.items()}
    documents = read_documents(tmp_path / "first" / "documents.jsonl")
    build(tmp_path / "again", documents, config, vectors=files)
    with Collection.open(tmp_path / "again") as again:
        again.export(tmp_path / "second")
        found = again.search("topic3", legs=["lexical"], limit=50).hits
    assert [(h.id, h.score, h.passage) for h in found] == [
        (h.id, h.score, h.passage) for h in wanted
    ]
    for path in sorted((tmp_path / "first").iterdir()):
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


def test_rounded_vectors_cause_a_warning(tmp_path):
    config = external(codec=Int8Codec(), originals="none")
    with changed(tmp_path / "c", config, brought) as collection:
        collection.merge()
        report = collection.export(tmp_path / "out")
    assert "leg dense stores rounded vectors" in report.warnings[0]
    assert np.load(tmp_path / "out" / "dense.npy").shape == (117, 64)


def test_legs_with_several_vectors_are_left_out(tmp_path):
    leg = DenseLeg(role="rerank", encoder=LateEncoderConfig(model="fake"))
    config = CollectionConfig(legs={"late": leg, "lexical": LexicalLeg()})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add(corpus(3))
        report = collection.export(tmp_path / "out")
    assert set(report.left_out) == {"late", "lexical"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "collection.json",
        "documents.jsonl",
    ]


def test_an_existing_folder_is_kept(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    with Collection.create(tmp_path / "c", external()) as collection:
        for name in ("out", "file"):
            with pytest.raises(ConflictError, match="name a new folder"):
                collection.export(tmp_path / name)
        with pytest.raises(StorageError, match="cannot be written"):
            collection.export(tmp_path / "file" / "out")
        (tmp_path / "empty").mkdir()
        assert collection.export(tmp_path / "empty").documents == 0
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_a_leg_named_documents_does_not_overwrite_the_documents(tmp_path):
    leg = SparseLeg(encoder=ExternalSparseEncoderConfig(dimensions=9))
    config = CollectionConfig(legs={"documents": leg, "collection": leg})
    vector = {"indices": [3], "values": [1.5]}
    vectors = {"documents": vector, "collection": vector}
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add([{"id": "a", "text": "one", "vectors": vectors}])
        report = collection.export(tmp_path / "out")
    assert report.files == {
        "documents": "documents.vectors.jsonl",
        "collection": "collection.jsonl",
    }
    assert [one["id"] for one in lines(tmp_path / "out" / "documents.jsonl")] == ["a"]
    for name in report.files.values():
        assert lines(tmp_path / "out" / name) == [vector]
    files = {leg: read_vectors(tmp_path / "out" / name) for leg, name in report.files.items()}
    documents = read_documents(tmp_path / "out" / "documents.jsonl")
    assert build(tmp_path / "b", documents, config, vectors=files).documents == 1


def test_other_folders_beside_the_target_are_kept(tmp_path):
    (tmp_path / "out.partial").mkdir()
    (tmp_path / "out.partial" / "mine.txt").write_text("mine")
    with changed(tmp_path / "c", external(), brought) as collection:
        collection.export(tmp_path / "out")
    assert (tmp_path / "out.partial" / "mine.txt").read_text() == "mine"
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["c", "out", "out.partial"]
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "out.partial").stat().st_mode


def test_one_of_two_exports_at_once_wins(tmp_path, monkeypatch):
    written = threading.Barrier(2)
    replace = os.replace

    def together(*paths):
        written.wait(20)
        replace(*paths)

    monkeypatch.setattr("twindex.search.export.os.replace", together)
    with (
        changed(tmp_path / "c", external(), brought) as collection,
        ThreadPoolExecutor(2) as threads,
    ):
        runs = [threads.submit(collection.export, tmp_path / "out") for _ in range(2)]
        errors = [run.exception() for run in runs]
    assert sorted(map(type, errors), key=str) == [type(None), ConflictError], errors
    assert len(lines(tmp_path / "out" / "documents.jsonl")) == 117
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c", "out"]


@pytest.mark.parametrize("name", [".", "{}", "../here"])
def test_the_current_folder_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with Collection.create(tmp_path / "c", external()) as collection:
        with pytest.raises(ConflictError, match="is the current folder; name a new folder"):
            collection.export(name.format(tmp_path / "here"))
        collection.export("new")
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["new"]


def test_an_import_with_too_few_rows_is_refused(tmp_path):
    rows = np.ones((3, 64))
    config = CollectionConfig(legs={"dense": external().legs["dense"]})
    for count, words in ((2, "has 3 rows, but there are 2"), (4, "has 3 rows, but there are 4")):
        with pytest.raises(InvalidInputError, match=words):
            build(tmp_path / str(count), corpus(count), config, vectors={"dense": rows})
