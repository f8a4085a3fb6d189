"""Vectors that are brought give the hits and scores of vectors that an encoder makes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twindex.core import ConflictError
from twindex.eval.tuning import Grid, tune
from twindex.index import (
    HnswConfig,
    Int8Codec,
    IvfConfig,
    PqCodec,
    ProjectionConfig,
    ScalarCodec,
    SpannConfig,
    VectorStorage,
)
from twindex.search import Collection, build

from .own_vectors import bring, corpus, encoded, external, query

STORAGES = {
    "flat": {},
    "float16": {"codec": ScalarCodec(kind="float16")},
    "int8": {"codec": Int8Codec()},
    "pq": {"codec": PqCodec(), "index": IvfConfig(flat_below=1)},
    "pca": {"projection": ProjectionConfig(kind="pca", dimensions=32)},
    "ivf": {"index": IvfConfig(flat_below=1)},
    "hnsw": {"index": HnswConfig(flat_below=1)},
    "spann": {"index": SpannConfig(flat_below=1)},
}
SLOW = {"float16", "ivf", "pca", "pq", "spann"}


def hits(collection, text, fields):
    found = collection.search({**query(text), "limit": 20, **fields}).hits
    return [
        (hit.id, hit.score, {name: leg.score for name, leg in hit.legs.items()}) for hit in found
    ]


def assert_equal(own: Collection, made: Collection) -> None:
    """Check hits, scores and scores of legs with query vectors."""
    for text in ("common topic3 item20", "item8"):
        vectors = query(text)["vectors"]
        only = {leg: {"legs": [leg], "vectors": {leg: vectors[leg]}} for leg in vectors}
        for fields in (
            {},
            {"filter": {"n": {"gte": 4}}},
            {**only["dense"], "query": None, "search": {"recall": 1.0}},
            {**only["sparse"], "query": None},
            {**only["dense"], "legs": [{"name": "dense", "weight": 2}, "lexical"], "fusion": "rrf"},
        ):
            found = hits(own, text, fields)
            assert found
            assert found == hits(made, text, fields), (text, fields)


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] * (one in SLOW)) for one in STORAGES]
)
def test_every_storage_and_every_state(tmp_path, name):
    storage, documents = STORAGES[name], corpus(400)
    replaced = [replace(one, title="other") for one in documents[5:25]]
    with (
        Collection.create(tmp_path / "own", external(**storage)) as own,
        Collection.create(tmp_path / "made", encoded(**storage)) as made,
    ):
        for change in (
            lambda c, docs: c.add(docs(documents[:300])),
            lambda c, docs: c.seal(),
            lambda c, docs: c.add(docs([*documents[300:], *replaced])),
            lambda c, docs: c.delete(["d1", "d20", "d350"]),
            lambda c, docs: c.delete_where({"n": 7}),
            lambda c, docs: c.merge(),
        ):
            change(own, lambda docs: map(bring, docs))
            change(made, list)
            assert_equal(own, made)
        assert own.count() == made.count() < 400
        assert own.verify() == []


def test_reconfigure_and_reopen(tmp_path):
    with (
        Collection.create(tmp_path / "own", external()) as own,
        Collection.create(tmp_path / "made", encoded()) as made,
    ):
        own.add(map(bring, corpus(300)))
        made.add(corpus(300))
        storage = VectorStorage(codec=Int8Codec(), index=IvfConfig(flat_below=1))
        for collection in (own, made):
            assert collection.reconfigure({"dense": storage}).changed
        assert_equal(own, made)
    with Collection.open(tmp_path / "own") as own, Collection.open(tmp_path / "made") as made:
        own.load()
        assert_equal(own, made)


def test_offline_build(tmp_path):
    documents = corpus(300)
    vectors = {"dense": np.stack([bring(one).vectors["dense"] for one in documents])}
    brought = [bring(one) for one in documents]
    sparse = [one.vectors["sparse"] for one in brought]
    build(tmp_path / "own", documents, external(), vectors={**vectors, "sparse": sparse})
    build(tmp_path / "made", documents, encoded())
    with Collection.open(tmp_path / "own") as own, Collection.open(tmp_path / "made") as made:
        assert_equal(own, made)


def test_tune_measures_vectors_that_were_brought(tmp_path):
    grid = Grid.parse(
        {"recall": [0.9], "block": [{"index": ["flat"], "codec": ["float32", "int8"]}]}
    )
    reports = []
    for name, config, change in (("own", external(), bring), ("made", encoded(), lambda one: one)):
        with Collection.create(tmp_path / name, config) as collection:
            collection.add(map(change, corpus(200)))
            reports.append(tune(collection, "dense", grid=grid, number=20))
    own, made = ([(p.name, p.quality, p.recall) for p in one.points] for one in reports)
    assert own == made


def test_other_vectors_do_not_continue_a_build(tmp_path, monkeypatch):
    documents = [bring(one) for one in corpus(60)]

    def broken():
        yield from documents[:40]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build(tmp_path / "c", broken(), external())
    changed = [bring(one) for one in corpus(60)]
    changed[3].vectors["dense"][5] += 1
    with pytest.raises(ConflictError, match="differ from those of the interrupted build"):
        build(tmp_path / "c", changed, external())
    report = build(tmp_path / "c", documents, external())
    assert report.resumed_at > 0
    assert report.documents == 60


SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.search.vectors.own_vectors import bring, corpus, external
from twindex.search import build
def slow():
    for i, one in enumerate(corpus(3000)):
        if i == 2500:
            print("ready", flush=True)
            sys.stdin.read()
        yield bring(one)
build(Path(sys.argv[1]), slow(), external())
"""


@pytest.mark.slow
def test_a_killed_build_continues(tmp_path):
    import twindex

    root = Path(twindex.__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root.parent)])}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "own")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    report = build(tmp_path / "own", map(bring, corpus(3000)), external())
    assert 0 < report.resumed_at < 3000
    build(tmp_path / "made", corpus(3000), encoded())
    with Collection.open(tmp_path / "own") as own, Collection.open(tmp_path / "made") as made:
        assert_equal(own, made)
