"""`twindex tune` on small collections, with encoders that need no model."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twindex.api.cli.main import main
from twindex.index import CollectionConfig

WORDS = [f"w{i}" for i in range(300)]
GRID = """
recall = [0.9]
[[block]]
index = ["flat"]
codec = ["float32", "int8"]
[[block]]
index = [{ kind = "spann", flat_below = 0 }]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    random = np.random.default_rng(0)
    with (folder / "corpus.jsonl").open("w") as corpus:
        for i in range(1_100):
            words = random.choice(WORDS[i % 15 * 15 : i % 15 * 15 + 45], 8)
            corpus.write(json.dumps({"_id": str(i), "text": " ".join(words)}) + "\n")
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{i}", "text": f"w{i} w{i + 2}"}) + "\n" for i in range(30))
    )
    (folder / "qrels.tsv").write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{i}\t{i}\t1\n" for i in range(20))
    )
    (folder / "grid.toml").write_text(GRID)
    index = str(folder / "index")
    arguments = ["--documents", str(folder / "corpus.jsonl"), "--dense", "fake", "--sparse", "none"]
    assert main(["build", index, *arguments, "--quiet"]) == 0
    return folder


@pytest.fixture
def tune(built: Path, tmp_path: Path, run: Any) -> Any:
    """Return a function that runs the command with a small grid; output: `tmp_path`/out."""

    def call(*options: str, grid: str | None = "grid.toml") -> Any:
        given = [] if grid is None else ["--grid", str(built / grid)]
        fixed = ["--output", str(tmp_path / "out"), "--query-sample", "25", "--quiet"]
        return run("tune", str(built / "index"), *given, *fixed, *options)

    return call


def test_tune_recommends_and_writes_files(tune: Any, tmp_path: Path) -> None:
    done = tune("--min-recall", "0.8")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split()[:4] == ["best", "trade-offs", "quality", "recall"]
    assert "flat float32" in done.out
    assert "limits: recall 0.8" in lines
    assert any(line.startswith("recommended: ") for line in lines)
    assert "on 1,100 passages, 25 documents as queries" in done.err
    assert "Queries are documents of the collection" in done.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "tune.json", "tune.html", "quality-bytes.svg", "quality-memory.svg", "quality-latency.svg",
        "recommended.toml",
    }  # fmt: skip


def test_json_contains_all_results(tune: Any, tmp_path: Path) -> None:
    found = tune("--json", "--indexes", "flat").json
    assert [point["name"] for point in found["points"]] == ["flat float32", "flat int8"]
    assert found["applied"] is None
    assert found["measure"] == "recall@10"
    assert str(tmp_path / "out" / "tune.json") in found["files"]
    stored = json.loads((tmp_path / "out" / "tune.json").read_text())
    assert stored["points"] == found["points"]


def test_judged_queries_give_ndcg(tune: Any, built: Path) -> None:
    files = ["--queries", str(built / "queries.jsonl"), "--qrels", str(built / "qrels.tsv")]
    found = tune(*files, "--json", "--codecs", "float32").json
    assert found["measure"] == "nDCG@10"
    assert found["measured_on"]["queries"] == found["measured_on"]["of_queries"] == 20
    (point,) = found["points"]
    assert point["ndcg"] == point["quality"] == found["reference"]["ndcg"]
    assert point["recall"] == 1
    unjudged = tune("--queries", str(built / "queries.jsonl"), "--json", "--codecs", "float32").json
    assert unjudged["measured_on"]["of_queries"] == 30
    assert unjudged["points"][0]["ndcg"] is None


def test_nothing_meets_the_limits(tune: Any, tmp_path: Path) -> None:
    done = tune("--bytes-per-vector", "3", "--apply")
    assert done.status == 1
    assert "nothing recommended: no measured configuration has at most 3 bytes" in done.out
    assert "The nearest is flat int8, with " in done.out
    assert (tmp_path / "out" / "tune.html").exists()
    assert not (tmp_path / "out" / "recommended.toml").exists()


def test_apply_stores_the_recommendation(tune: Any, built: Path, tmp_path: Path, run: Any) -> None:
    index = str(built / "index")
    before = run("search", index, "w3 w7", "--legs", "dense", "--json").json["hits"]
    done = tune("--apply", "--indexes", "spann")
    assert done.status == 0, done.err
    assert "applied to the collection" in done.err
    config = CollectionConfig.parse(tomllib.loads((tmp_path / "out/recommended.toml").read_text()))
    assert run("info", index, "--json").json["config"] == config.model_dump(mode="json")
    assert run("verify", index).status == 0
    after = run("search", index, "w3 w7", "--legs", "dense", "--json").json["hits"]
    assert after[0]["id"] == before[0]["id"]
    again = tune("--apply", "--indexes", "spann", "--json")
    assert again.json["applied"] is False
    back = tune("--apply", "--codecs", "float32", "--indexes", "flat", "--json").json
    assert back["applied"] is True
    assert any("stores rounded vectors" in text for text in back["notes"])
    # The written file builds another collection with the same storage.
    corpus = ["--documents", str(built / "corpus.jsonl"), "--quiet"]
    recommended = ["--config", str(tmp_path / "out" / "recommended.toml")]
    assert run("build", str(tmp_path / "other"), *corpus, *recommended).status == 0


def test_dropping_originals_prints_a_warning(tune: Any, built: Path, run: Any) -> None:
    options = ["--codecs", "int8", "--indexes", "flat", "--apply"]
    done = tune(*options, "--bytes-per-vector", "100", grid=None)
    assert done.status == 0, done.err
    assert (
        "twindex: warning: original vectors are no longer stored; this cannot be undone" in done.err
    )
    assert "search: every code is compared\n" in run("info", str(built / "index")).out
    assert "original vectors are no longer stored" not in tune(*options, grid=None).err


def test_a_small_collection_gets_a_note(tmp_path: Path, run: Any) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(f'{{"_id": "{i}", "text": "bird {i}"}}\n' for i in range(20)))
    index = str(tmp_path / "index")
    legs = ["--dense", "fake", "--sparse", "none", "--quiet"]
    assert run("build", index, "--documents", str(corpus), *legs).status == 0
    done = run("tune", index, "--output", str(tmp_path / "out"), "--quiet", "--json")
    assert done.status == 0, done.err
    assert {p["name"].split()[0] for p in done.json["points"]} == {"flat"}
    reasons = {item["name"]: item["reason"] for item in done.json["skipped"]}
    assert (
        "20 passages, and fewer than 20,000 (flat_below) are searched exactly" in reasons["ivf pq"]
    )
    assert "so few are searched exactly" in reasons["flat int8"]


def test_wrong_arguments_are_named(tune: Any, built: Path, tmp_path: Path, run: Any) -> None:
    for options, message in (
        (["--leg", "sparse"], "--leg: there is no leg 'sparse'"),
        (["--leg", "lexical"], "--leg: must be a dense leg, got 'lexical' (lexical)"),
        (["--min-recall", "2"], "--min-recall: must be at most 1"),
        (["--p95-ms", "0"], "--p95-ms: must be above 0 and finite, got 0"),
        (["--sample", "1"], "--sample: must be at least 2"),
        (["--seed", "-1"], "--seed: must be at least 0"),
        (["--depth", "5"], "--depth: must be at least 10"),
        (["--indexes", "flatt"], "--indexes: the grid has no 'flatt'; it has flat, spann"),
        (["--codecs", "pq"], "--codecs: the grid has no 'pq'"),
        (["--qrels", str(built / "qrels.tsv")], "--qrels: requires --queries"),
        (["--queries", str(tmp_path / "none.jsonl")], "none.jsonl"),
        (
            ["--output", str(built / "index" / "x")],
            "--output: is inside the collection; name another folder",
        ),
    ):
        done = tune(*options)
        assert done.status == 2, done.err
        assert done.err.startswith(f"twindex: error: {message}" if message[0] == "-" else "twindex")
        assert message in done.err
        assert "Traceback" not in done.err
        assert not (tmp_path / "out").exists()
    bad = tmp_path / "grid.toml"
    bad.write_text("[[block]]\nindex = ['flat']\ncodec = ['int9']\n")
    done = tune("--grid", str(bad), grid=None)
    assert done.status == 2
    assert "grid.toml: block[0].codec[0]" in done.err
    assert run("tune", str(tmp_path / "absent"), "--quiet").status == 2
    with pytest.raises(SystemExit):
        tune("--codecs", "int8,,pq")


def test_queries_may_bring_their_vectors(tune: Any, built: Path, tmp_path: Path, run: Any) -> None:
    assert run("export", str(built / "index"), str(tmp_path / "all"), "--quiet").status == 0
    own = next((tmp_path / "all").glob("*dense*.npy"))
    lines = (tmp_path / "all" / "documents.jsonl").read_text().splitlines()
    ids = [json.loads(line)["id"] for line in lines]
    queries, qrels = tmp_path / "q.jsonl", tmp_path / "qrels.tsv"
    queries.write_text("".join(f'{{"_id": "q{n}", "text": "?"}}\n' for n in range(20)))
    qrels.write_text(
        "query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\t{ids[n]}\t1\n" for n in range(20))
    )
    np.save(tmp_path / "v.npy", np.load(own)[:20])
    files = ["--queries", str(queries), "--qrels", str(qrels), "--codecs", "float32", "--json"]
    text = tune(*files).json
    brought = tune(*files, "--vectors", f"dense={tmp_path / 'v.npy'}").json
    assert brought["reference"]["ndcg"] > 0.9 > text["reference"]["ndcg"]
    for options, message in (
        ([*files, "--vectors", "sparse=v.npy"], "--vectors: has vectors for leg 'sparse'"),
        (["--vectors", "dense=v.npy"], "--vectors: requires --queries"),
    ):
        done = tune(*options)
        assert (done.status, message in done.err) == (2, True), done.err
    np.save(tmp_path / "short.npy", np.ones((20, 3), np.float32))
    done = tune(*files, "--vectors", f"dense={tmp_path / 'short.npy'}")
    assert (done.status, "query 'q" in done.err, "dimensions, got 3" in done.err) == (2, True, True)
