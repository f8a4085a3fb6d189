"""`twindex eval` on a real collection, with encoders that need no model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.eval import read_run

DOCUMENTS = [
    {"_id": "1", "title": "Kiwi", "text": "The kiwi cannot fly."},
    {"_id": "2", "title": "Hawk", "text": "A hawk flies high."},
    {"_id": "3", "title": "Eel", "text": "An eel swims."},
]


def jsonl(path: Path, records: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


@pytest.fixture
def index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = str(tmp_path / "index")
    corpus = jsonl(tmp_path / "corpus.jsonl", DOCUMENTS)
    fakes = ["--dense", "fake", "--sparse", "fake", "--quiet"]
    assert main(["build", path, "--documents", corpus, *fakes]) == 0
    capsys.readouterr()
    return path


def test_eval(tmp_path: Path, index: str, run: Any) -> None:
    queries = jsonl(
        tmp_path / "q.jsonl",
        [{"_id": "a", "text": "kiwi"}, {"_id": "b", "text": "hawk"}, {"_id": "c", "text": "eel"}],
    )
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t3\t1\nmissing\t1\t1\n")
    judged = ["--queries", queries, "--qrels", str(qrels), "--quiet"]
    out = tmp_path / "out.trec"
    options = ["--legs", "lexical", "--measures", "R@1, AP(rel=1)", "--run", str(out), "--json"]
    done = run("eval", index, *judged, *options)
    assert done.json["measures"] == pytest.approx({"R@1": 1 / 3, "AP(rel=1)": 1 / 3})
    assert done.json["queries"] == 3
    assert done.json["legs"] == [{"name": "lexical", "weight": 1.0}]
    assert done.json["fusion"] is None
    assert "1 judged query is not in" in done.err
    assert list(read_run(out)) == ["a", "b"]
    assert "nDCG@10" in run("eval", index, *judged).out

    table = run("eval", index, *judged, "--table", "--measures", "R@1", "--json").json["table"]
    assert [row["name"] for row in table] == (
        ["dense", "sparse", "lexical", "minmax", "zscore", "dbsf", "rrf"]
    )
    text = run("eval", index, *judged, "--table").out
    header = ["nDCG@10", "p", "R@100", "p", "RR@10", "p", "ms/query"]
    assert text.splitlines()[0].split() == header
    for row in table:
        assert set(row["per_query"]) == set(row["measures"])
        for found in row["comparisons"].values():
            assert 0 < found["p_value"] <= 1
            assert found["baseline"] in ("dense", "sparse", "lexical")
    assert [bool(row["comparisons"]) for row in table] == [False] * 3 + [True] * 4
    for wrong in (["--table", "--legs", "dense"], ["--measures", "nonsense"]):
        assert run("eval", index, *judged, *wrong).status == 2
    for option, file in (("--queries", queries), ("--qrels", str(qrels))):
        (link := tmp_path / f"link{option}").symlink_to(file)
        before = Path(file).read_bytes()
        for out_file in (file, str(link)):
            done = run("eval", index, *judged, "--run", out_file)
            assert (done.status, option in done.err) == (2, True)
            assert "--run: would overwrite" in done.err
        assert Path(file).read_bytes() == before
    nothing = jsonl(tmp_path / "other.jsonl", [{"_id": "z", "text": "kiwi"}])
    done = run("eval", index, "--queries", nothing, "--qrels", str(qrels))
    assert "use the same query ids in both" in done.err


@pytest.fixture
def judged(tmp_path: Path) -> list[str]:
    """Return options for three queries. The lexical leg is wrong for the second."""
    queries = [("a", "kiwi"), ("b", "hawk"), ("c", "eel")]
    file = jsonl(tmp_path / "q.jsonl", [{"_id": name, "text": text} for name, text in queries])
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("query-id\tcorpus-id\tscore\na\t1\t1\nb\t3\t1\nc\t3\t1\n")
    return ["--queries", file, "--qrels", str(qrels), "--quiet", "--measures", "RR@10,R@1"]


def test_the_report_of_one_search_has_the_values_of_each_query(
    index: str, judged: list[str], run: Any
) -> None:
    report = run("eval", index, *judged, "--legs", "lexical", "--json").json
    assert report["per_query"] == {
        "RR@10": {"a": 1.0, "b": 0.0, "c": 1.0},
        "R@1": {"a": 1.0, "b": 0.0, "c": 1.0},
    }
    for name, values in report["per_query"].items():
        assert report["measures"][name] == pytest.approx(sum(values.values()) / 3)


def test_queries_seen_in_training_are_skipped(
    index: str, judged: list[str], tmp_path: Path, run: Any
) -> None:
    """Query b shares document 3 with the training query; c also copies its text."""
    file = Path(judged[1])
    with file.open("a") as out:
        out.write(json.dumps({"_id": "t", "text": " EEL "}) + "\n")
        out.write(json.dumps({"_id": "other", "text": "kiwi"}) + "\n")  # Not in the training set.
    train = tmp_path / "train.tsv"
    train.write_text("query-id\tcorpus-id\tscore\nt\t3\t1\nt\t1\t0\n")
    command = ["eval", index, *judged, "--exclude-seen-in", str(train), "--legs", "lexical"]
    done = run(*command, "--json")
    assert done.status == 0
    assert "1 of 3 queries not seen in training: 2 share a relevant document" in done.err
    assert done.json["queries"] == 1
    assert done.json["per_query"] == {"RR@10": {"a": 1.0}, "R@1": {"a": 1.0}}
    train.write_text("query-id\tcorpus-id\tscore\nt\t2\t1\n")
    done = run(*command, "--json")
    assert "2 of 3 queries not seen in training: 0 share a relevant document, 1 nearly" in done.err
    assert set(done.json["per_query"]["R@1"]) == {"a", "b"}
    table = run("eval", index, *judged, "--exclude-seen-in", str(train), "--table", "--json").json
    assert all(set(row["per_query"]["R@1"]) == {"a", "b"} for row in table["table"])

    assert "warning" not in done.err
    train.write_text("query-id\tcorpus-id\tscore\nt\t2\t1\nelsewhere\t2\t1\n")
    words = (
        f"1 of 2 queries of {train} not in {file}: queries that nearly copy them are not skipped"
    )
    assert words in run(*command, "--json").err

    train.write_text("query-id\tcorpus-id\tscore\nt\t3\t1\nother\t1\t1\n")
    done = run(*command)
    assert (done.status, done.out) == (2, "")
    assert "--exclude-seen-in: leaves no test query; add queries to --queries" in done.err
    train.write_text("query-id\tcorpus-id\tscore\nt\t3\tx\n")
    done = run(*command)
    assert (done.status, done.out) == (2, "")
    assert f"{train}:2: score: must be an integer, got 'x'" in done.err


def test_the_baseline_of_a_table_can_be_named(index: str, judged: list[str], run: Any) -> None:
    report = run("eval", index, *judged, "--table", "--baseline", "lexical", "--json").json
    for row in report["table"]:
        if row["name"] == "lexical":
            assert row["comparisons"] == {}
        for name, found in row["comparisons"].items():
            assert found["baseline"] == "lexical"
            lexical = next(r for r in report["table"] if r["name"] == "lexical")
            assert found["difference"] == pytest.approx(
                row["measures"][name] - lexical["measures"][name]
            )
    assert sum(bool(row["comparisons"]) for row in report["table"]) == 6
    done = run("eval", index, *judged, "--table", "--baseline", "lexical")
    assert "a difference this large from lexical" in done.err
    reranked = ["--table", "--rerank", "fake", "--rerank", "mmr", "--baseline", "fake"]
    first, fake, mmr = run("eval", index, *judged, *reranked, "--json").json["rerank_table"]
    assert "comparisons" not in fake
    assert {found["baseline"] for found in first["comparisons"].values()} == {"fake"}
    assert mmr["comparisons"].keys() == mmr["per_query"].keys() == {"RR@10", "R@1"}
    for options, words in (
        (["--table", "--baseline", "bm25"], "--baseline: no row is named 'bm25'; the rows are: "),
        ([*reranked[:3], "--baseline", "rrf"], "rows are: first stage, fake"),
        (["--baseline", "rrf"], "--baseline: requires --table"),
    ):
        done = run("eval", index, *judged, *options)
        assert (done.status, done.out) == (2, "")
        assert words in done.err


def test_an_invalid_id_for_a_run_does_not_lose_the_report(tmp_path: Path, run: Any) -> None:
    fakes = ["--dense", "fake", "--sparse", "fake", "--quiet"]
    documents = jsonl(tmp_path / "c.jsonl", [{"_id": "a kiwi.md", "text": "kiwi"}])
    assert run("build", str(tmp_path / "i"), "--documents", documents, *fakes).status == 0
    queries = jsonl(tmp_path / "q.jsonl", [{"_id": "q", "text": "kiwi"}])
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("q\ta kiwi.md\t1\n")
    out = tmp_path / "out.trec"
    judged = ["--queries", queries, "--qrels", str(qrels), "--measures", "R@1", "--quiet"]
    done = run("eval", str(tmp_path / "i"), *judged, "--run", str(out))
    assert done.status == 2
    assert "1.0000" in done.out
    assert "'a kiwi.md' has white space" in done.err
    assert not out.exists()


def test_a_run_is_written_even_if_printing_fails(
    index: str, judged: list[str], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "twindex.api.cli.main", "eval", index, *judged, "--quiet"]
    out = tmp_path / "out.trec"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command, "--run", str(out)], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert out.read_text()


def test_standard_input_is_read_once(index: str, run: Any) -> None:
    done = run("eval", index, "--queries", "-", "--qrels", "-")
    assert (done.status, done.out) == (2, "")
    assert "--queries: cannot read standard input, which --qrels reads too; name a file" in done.err


def test_p_values_are_explained_if_printed(
    tmp_path: Path, judged: list[str], index: str, run: Any
) -> None:
    assert "best leg alone" in run("eval", index, *judged, "--table", "--quiet").err
    documents = jsonl(tmp_path / "c.jsonl", [{"_id": "1", "text": "kiwi"}])
    alone = ["--dense", "none", "--sparse", "none", "--quiet"]
    assert run("build", str(tmp_path / "i"), "--documents", documents, *alone).status == 0
    done = run("eval", str(tmp_path / "i"), *judged, "--table", "--quiet")
    assert done.status == 0, done.err
    assert "best leg alone" not in done.err


def test_missing_relevant_documents_are_reported(
    index: str, judged: list[str], tmp_path: Path, run: Any
) -> None:
    assert "missing from the collection" not in run("eval", index, *judged, "--quiet").err
    qrels = tmp_path / "other.tsv"
    qrels.write_text("a\tzzz\t1\na\t1\t1\na\tyyy\t0\n")
    queries = judged[judged.index("--queries") + 1]
    done = run("eval", index, "--queries", queries, "--qrels", str(qrels), "--quiet")
    assert done.status == 0, done.err
    assert "missing from the collection: 1 of 2 relevant documents" in done.err
