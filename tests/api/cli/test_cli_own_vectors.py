"""Vectors in files, encoders of queries and exports on the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from twindex.index import CollectionConfig
from twindex.search import Collection

OWN = ["--encoder", "external:mine", "--sparse", "none", "--quiet"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """documents.jsonl and vectors.npy [20, 64] in the working folder."""
    monkeypatch.chdir(tmp_path)
    lines = [{"id": f"d{i}", "text": f"bird {i}", "mine": [i, 1]} for i in range(20)]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    vectors = np.random.default_rng(0).normal(size=(20, 64)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    return vectors


def best(path, vector):
    with Collection.open(path) as collection:
        return collection.search({"vectors": {"dense": vector}, "limit": 1}).hits[0].id


def test_build_and_add_read_vectors(run, files):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    assert run("build", "index", *argv, *OWN).status == 0
    assert best("index", files[7] * 9) == "d7"
    np.save("vectors.npy", -files)
    assert run("add", "index", *argv, "--quiet").out.startswith("20 documents written")
    assert best("index", -files[3] * 9) == "d3"
    config: CollectionConfig = Collection.open("index").config
    assert config.legs["dense"].encoder.label == "mine"


def test_vectors_in_fields(run, files):
    argv = ["--documents", "documents.jsonl", "--vector-fields", "dense=mine", "--dimensions", "2"]
    assert run("build", "index", *argv, *OWN).status == 0
    assert best("index", [1, 0]) == "d19"
    assert "mine" not in run("get", "index", "d1").json["metadata"]


def test_a_query_encoder_makes_a_pair(run, files):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    queries = ["--query-encoder", "dense:fake"]
    assert run("build", "index", *argv, *OWN, *queries).status == 0
    done = run("search", "index", "bird 3", "--legs", "dense", "--json")
    assert len(done.json["hits"]) == 10
    assert done.json["warnings"] == []


def test_an_export_can_be_imported(run, files):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    assert run("build", "index", *argv, *OWN).status == 0
    assert run("export", "index", "out", "--quiet").status == 0
    assert np.array_equal(np.load("out/dense.npy"), files)
    again = ["--documents", "out/documents.jsonl", "--vectors", "dense=out/dense.npy"]
    assert run("build", "again", *again, *OWN).status == 0
    assert best("again", files[7] * 9) == "d7"
    done = run("export", "index", "out")
    assert done.status == 2
    assert "already exists" in done.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--vectors", "dense=missing.npy"], "missing.npy"),
        (["--vectors", "dense=documents.jsonl", "--dimensions", "2"], "documents.jsonl:1"),
        (
            ["--vectors", "dense=vectors.npy", "--vectors", "dense=b.npy"],
            "has two files for one leg",
        ),
        (["--vectors", "dense=vectors.npy", "--dimensions", "3"], "must have 3 dimensions, got 64"),
        (["--vectors", "sparse=vectors.npy", "--dimensions", "64"], "there is no leg 'sparse'"),
        (["--vector-fields", "dense=mime", "--dimensions", "2"], "did you mean mine"),
        (["--dimensions", "2"], "encodes no text; give each document a vector"),
        ([], "dimensions"),
        (["--query-encoder", "late", "--dimensions", "2"], "legs.dense.encoder.queries"),
        (["--query-encoder", "kiwi", "--dimensions", "2"], "kinds: "),
    ],
)
def test_wrong_arguments_are_named(run, files, argv, words):
    done = run("build", "index", "--documents", "documents.jsonl", *argv, *OWN)
    assert done.status == 2
    assert words in done.err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--vectors", "dense"], "must have the form LEG=FILE"),
        (["--vector-fields", "dense=a,mine"], "must have the form LEG=NAME"),
    ],
)
def test_misspelled_arguments_are_named(run, files, capsys, argv, words):
    with pytest.raises(SystemExit):
        run("build", "index", "--documents", "documents.jsonl", *argv, *OWN)
    assert words in capsys.readouterr().err


def test_an_invalid_record_stops_a_build_with_rows(run, files, tmp_path):
    text = (tmp_path / "documents.jsonl").read_text()
    (tmp_path / "documents.jsonl").write_text(text.replace('"id": "d3"', '"id": ""'))
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    done = run("build", "index", *argv, *OWN)
    assert done.status == 2
    assert "documents.jsonl:4" in done.err
