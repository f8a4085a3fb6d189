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


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ({"dense": [1, 2]}, "document 'wrong': must have 3 dimensions, got 2"),
        ({"dens": [1, 2, 3]}, "document 'wrong': there is no leg 'dens'"),
        ({}, "document 'wrong': is required, because leg 'dense' encodes no text"),
    ],
)
@pytest.mark.parametrize("sync", [[], ["--sync"]])
def test_a_document_with_wrong_vectors_is_named(run, files, tmp_path, vectors, words, sync):
    given = [{"id": "right", "text": "a", "vectors": {"dense": [1, 2, 3]}}]
    given += [{"id": "wrong", "text": "b", "vectors": vectors}]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(one) + "\n" for one in given))
    done = run("build", "index", "--documents", "own.jsonl", "--dimensions", "3", *OWN, *sync)
    assert done.status == (0 if sync else 2)
    assert words in done.err


def test_a_column_of_vectors_is_no_metadata(run, files):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = {"id": [f"d{i}" for i in range(20)], "text": ["bird"] * 20, "year": list(range(20))}
    parquet.write_table(arrow.table({**rows, "embedding": files.tolist()}), "d.parquet")
    argv = ["--documents", "d.parquet", *OWN, "--vectors"]
    assert run("build", "index", *argv, "dense=d.parquet").status == 0
    assert best("index", files[7] * 9) == "d7"
    assert run("get", "index", "d7").json["metadata"] == {"year": 7}
    chosen = ["--metadata-fields", "year,embedding"]
    assert run("build", "chosen", *argv, "dense=d.parquet:embedding", *chosen).status == 0
    assert set(run("get", "chosen", "d7").json["metadata"]) == {"year", "embedding"}


@pytest.mark.parametrize("count", [19, 21, 1])
@pytest.mark.parametrize("suffix", [".npy", ".jsonl"])
def test_a_wrong_number_of_vectors_writes_nothing(run, files, tmp_path, count, suffix):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    assert run("build", "index", *argv, *OWN).status == 0
    vectors = np.ones((count, 64), dtype=np.float32)
    np.save("wrong.npy", vectors)
    (tmp_path / "wrong.jsonl").write_text("".join(f"{row}\n" for row in vectors.tolist()))
    wrong = [*argv[:3], f"dense=wrong{suffix}"]
    words = f"vectors.dense: has {count} rows, but there are 20 documents; a document"
    for command in (["add", "index", *wrong, "--quiet"], ["build", "new", *wrong, *OWN]):
        done = run(*command)
        assert done.status == 2
        assert words in done.err
    assert not (tmp_path / "new").exists()
    assert best("index", files[7] * 9) == "d7"


def test_rows_of_own_passages_are_counted(run, files, tmp_path):
    lines = [
        {"id": "a", "text": "kiwi bird", "passages": [[0, 4], [5, 9]]},
        {"id": "b", "text": "owl"},
    ]
    (tmp_path / "cut.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    argv = ["--documents", "cut.jsonl", "--vectors", "dense=rows.npy", *OWN]
    np.save("rows.npy", files[:4])
    done = run("build", "index", *argv)
    assert done.status == 2
    assert "has 4 rows, but there are 2 documents, which take 3 rows" in done.err
    np.save("rows.npy", files[:3])
    assert run("build", "index", *argv).status == 0
    assert best("index", files[1] * 9) == "a"


def test_vectors_of_a_table_are_counted(run, files, tmp_path):
    (tmp_path / "d.csv").write_text("id,text\n" + "".join(f"{i},bird\n" for i in range(19)))
    done = run("build", "index", "--documents", "d.csv", "--vectors", "dense=vectors.npy", *OWN)
    assert done.status == 2
    assert "has 20 rows, but there are 19 documents" in done.err


@pytest.fixture
def index(run, files):
    """The collection `index` with the vectors of `files`."""
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    assert run("build", "index", *argv, *OWN).status == 0
    return files


def test_a_search_takes_the_vector_of_its_query(run, index):
    np.save("q.npy", index[7:8] * 9)
    inline = json.dumps((index[7] * 9).tolist())
    for value in ("q.npy", inline):
        done = run("search", "index", "--vectors", f"dense={value}", "--json")
        assert done.json["hits"][0]["id"] == "d7"
        both = run("search", "index", "bird 3", "--vectors", f"dense={value}", "--json")
        assert {"dense", "lexical"} == set().union(*(hit["legs"] for hit in both.json["hits"]))
    assert run("search", "index", "--vectors", "dense=q.npy").out.split()[2] == "d7"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "QUERY: is required; write a query, give a vector with --vectors"),
        (["--vectors", "dense=vectors.npy"], "vectors.npy: must have one row"),
        (["--vectors", "dense=[1, 2"], "is not valid JSON"),
        (["--vectors", "dense=[1, 2]"], "64 dimensions"),
        (["--vectors", "nope=[1, 2]"], "nope"),
        (["--vectors", "dense=[1]", "--vectors", "dense=[1]"], "two files for one leg"),
    ],
)
def test_wrong_vectors_of_a_search_are_named(run, index, argv, words):
    done = run("search", "index", *argv)
    assert done.status == 2
    assert words in done.err


def judged(tmp_path, vectors):
    """Write a query for each vector; its relevant document is the one with this number."""
    lines = [
        {"_id": f"q{i}", "text": "nothing", **({} if one is None else {"vectors": one})}
        for i, one in enumerate(vectors)
    ]
    (tmp_path / "queries.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (tmp_path / "qrels").write_text("".join(f"q{i} 0 d{i} 1\n" for i in range(1, len(lines))))
    return ["eval", "index", "--queries", "queries.jsonl", "--qrels", "qrels", "--json", "--quiet"]


def test_queries_are_evaluated_with_their_vectors(run, index, tmp_path):
    argv = judged(tmp_path, [{"dense": (9 * row).tolist()} for row in index[:5]])
    for more in ([], ["--legs", "dense"]):
        assert run(*argv, *more).json["measures"]["RR@10"] == 1
    table = {row["name"]: row["measures"]["RR@10"] for row in run(*argv, "--table").json["table"]}
    assert table["dense"] == 1
    assert table["lexical"] == 0
    rerank = run(*argv, "--rerank", "fake").json
    assert rerank["measures"]["R@100"] == 1


def test_queries_are_evaluated_with_rows_of_a_file(run, index, tmp_path):
    argv = [*judged(tmp_path, [None] * 5), "--vectors", "dense=q.npy"]
    np.save("q.npy", index[:5] * 9)
    assert run(*argv).json["measures"]["RR@10"] == 1
    np.save("q.npy", index[:4])
    assert "q.npy: has 4 rows, but --queries has 5 queries" in run(*argv).err
    assert "cannot be combined with --answers" in run(*argv, "--answers", "a.jsonl").err


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        ([1, 2], "queries.jsonl:1: vectors: must be an object"),
        ({"dense": "kiwi"}, "queries.jsonl:1: vectors.dense: must be a list of numbers"),
        ({"dens": [1, 2]}, "'dens', and there is no such leg; the legs are dense, lexical; did"),
        ({"dense": [1, 2]}, "64 dimensions"),
    ],
)
def test_wrong_vectors_of_queries_are_named(run, index, tmp_path, vectors, words):
    done = run(*judged(tmp_path, [vectors] * 2))
    assert done.status == 2
    assert words in done.err


def test_a_query_encoder_makes_a_pair(run, files):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    queries = ["--query-encoder", "dense:fake"]
    assert run("build", "index", *argv, *OWN, *queries).status == 0
    done = run("search", "index", "bird 3", "--legs", "dense", "--json")
    assert len(done.json["hits"]) == 10
    assert done.json["warnings"] == []


def test_an_export_can_be_imported(run, files):
    argv = ["--documents", "documents.jsonl", "--vectors", "dense=vectors.npy"]
    options = ["--index", "hnsw", "--k1", "1.7"]
    assert run("build", "index", *argv, *OWN, *options).status == 0
    assert run("export", "index", "out", "--quiet").status == 0
    assert np.array_equal(np.load("out/dense.npy"), files)
    again = ["--documents", "out/documents.jsonl", "--vectors", "dense=out/dense.npy"]
    assert run("build", "again", *again, "--config", "out/collection.json", "--quiet").status == 0
    assert best("again", files[7] * 9) == "d7"
    with Collection.open("index") as first, Collection.open("again") as second:
        assert first.config == second.config
        assert list(first.scan()) == list(second.scan())
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
        (["--vectors", "nope=vectors.npy"], "no leg 'nope'; the legs are dense, lexical"),
        (["--vectors", "dens=vectors.npy"], "did you mean 'dense'?"),
        (["--vector-fields", "nope=mine"], "--vector-fields: there is no leg 'nope'"),
        ([], "legs.dense.encoder.dimensions: is required; set it with --dimensions"),
        (["--query-encoder", "dense:fake"], "is required; set it with --dimensions"),
        (["--dimensions", "0"], "set it with --dimensions"),
        (["--dimensions", "2", "--k1", "-1"], "set it with --k1"),
        (["--config", "list.json"], "list.json"),
        (["--config", "broken.json"], "broken.json: is not valid JSON"),
        (["--config", "wrong.json"], "wrong.json: legs.dense.index: must be"),
        (["--query-encoder", "late", "--dimensions", "2"], "legs.dense.encoder.queries"),
        (["--query-encoder", "kiwi", "--dimensions", "2"], "kinds: "),
    ],
)
def test_wrong_arguments_are_named(run, files, tmp_path, argv, words):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("legs = 1")
    wrong = {"config": {"legs": {"dense": {"kind": "dense", "index": {"kind": "kiwi"}}}}}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
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
