"""Reranking on the command line, with rerankers that need no model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.api.http import server
from twindex.eval import read_run

DOCUMENTS = [
    {"_id": "emu", "title": "Emu", "text": "emu emu emu emu and nothing else"},
    {"_id": "kiwi", "title": "Kiwi", "text": "no emu but flightless" + " feathers" * 60},
    {"_id": "hawk", "title": "Hawk", "text": "a bird that can fly, not flightless"},
]
TOML = """
[rerankers.words]
kind = "fake"

[rerankers.broken]
kind = "fake"
fails_at = 0
"""


@pytest.fixture
def index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(record) + "\n" for record in DOCUMENTS))
    path = str(tmp_path / "index")
    models = ["--dense", "none", "--sparse", "none", "--quiet"]
    assert main(["build", path, "--documents", str(corpus), *models]) == 0
    capsys.readouterr()
    return path


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "rerankers.toml"
    path.write_text(TOML)
    return str(path)


@pytest.fixture
def judged(tmp_path: Path) -> list[str]:
    queries, qrels = tmp_path / "q.jsonl", tmp_path / "qrels.tsv"
    queries.write_text('{"_id": "1", "text": "emu flightless"}\n{"_id": "2", "text": "bird fly"}\n')
    qrels.write_text("query-id\tcorpus-id\tscore\n1\tkiwi\t1\n2\thawk\t1\n")
    return ["--queries", str(queries), "--qrels", str(qrels), "--quiet"]


def test_a_reranked_search_shows_previous_ranks(index: str, run: Any) -> None:
    query = ["search", index, "emu flightless"]
    before = run(*query, "--json").json["hits"]
    assert [hit["id"] for hit in before] == ["emu", "kiwi", "hawk"]
    done = run(*query, "--rerank", "fake@5")
    lines = done.out.splitlines()
    assert lines[0].split() == ["1.", "1.0000", "kiwi", "Kiwi", "(was", "2,", "+1)"]
    assert lines[3].split() == ["2.", "0.5000", "emu", "Emu", "(was", "1,", "-1)"]
    assert lines[1].split()[:2] == ["before", f"({before[1]['score']:.4f})"]
    assert "fake@5: complete: 3 of 3 hits judged, 3 calls, " in done.err
    assert "tokens; " in done.err
    found = run(*query, "--rerank", "fake@5", "--json").json
    assert [hit["id"] for hit in found["hits"]] == ["kiwi", "emu", "hawk"]
    assert found["hits"][0]["rerank"]["previous"] == 2
    assert found["rerank"]["usage"]["calls"] == 3


def test_reasons_are_printed_on_request(index: str, run: Any) -> None:
    chain = ["search", index, "emu flightless", "--rerank", "fake+fake@1"]
    assert "reranked:" not in run(*chain).out
    done = run(*chain, "--explain")
    assert "reranked: 1.fake score 1; 2.fake score 1" in done.out
    assert "  2.fake complete: 1 of 1 judged, 1 call" in done.err


def test_a_budget_that_runs_out_and_a_model_that_fails(index: str, file: str, run: Any) -> None:
    query = ["search", index, "emu flightless", "--rerankers", file]
    done = run(*query, "--rerank", "words", "--rerank-calls", "1")
    assert done.status == 0
    assert "words: partial: 1 of 3 hits judged" in done.err
    assert "(was 2, =, not judged)" in done.out
    done = run(*query, "--rerank", "broken")
    assert done.status == 0
    assert "broken: failed" in done.err
    assert "warning: rerank: failed" in done.err
    assert "emu" in done.out.splitlines()[0]
    done = run(*query, "--rerank", "broken", "--rerank-on-error", "fail")
    assert (done.status, done.out) == (2, "")
    assert "fails at hit 0" in done.err
    done = run(*query, "--rerank", "words", "--rerank-top-n", "1")
    assert "1 of 1 hit judged" in done.err
    done = run(*query, "--rerank", "words", "--rerank-min-score", "0.9")
    assert len([line for line in done.out.splitlines() if "(was" in line]) == 1
    done = run(*query, "--rerank", "fake", "--rerank-timeout-ms", "100000")
    assert "fake: complete" in done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--rerank-top-n", "3"], "--rerank-top-n: requires --rerank"),
        (["--rerank-timeout-ms", "3"], "--rerank-timeout-ms: requires --rerank"),
        (["--rerank-calls", "3"], "--rerank-calls: requires --rerank"),
        (["--rerank-tokens", "3"], "--rerank-tokens: requires --rerank"),
        (["--rerank-min-score", "0"], "--rerank-min-score: requires --rerank"),
        (["--rerank-on-error", "keep"], "--rerank-on-error: requires --rerank"),
        (["--rerankers", "FILE"], "--rerankers: requires --rerank"),
        (["--rerank", "magic"], "--rerank: 'magic': unknown kind of reranker 'magic'; known: "),
        (
            ["--rerank", "magic", "--rerankers", "FILE"],
            "rerankers.toml has the rerankers words, broken",
        ),
        (["--rerank", "fake", "--rerank", "fake"], "--rerank: 'fake' is given twice; give it once"),
        (
            ["--rerank", "fake", "--rerank", "mmr"],
            "--rerank: may be repeated only with `twindex eval --table`; give it once",
        ),
        (
            ["--rerank", "fake", "--rerank-top-n", "0"],
            "--rerank-top-n: must be an integer between 1 and 1,000, got 0",
        ),
        (
            ["--rerank", "fake", "--rerank-timeout-ms", "-1"],
            "--rerank-timeout-ms: must be a number above 0",
        ),
        (["--rerank", "fake", "--rerankers", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_errors_name_the_option(
    index: str, file: str, judged: list[str], run: Any, options: list[str], words: str
) -> None:
    options = [file if option == "FILE" else option for option in options]
    for command in (["search", index, "emu"], ["eval", index, *judged]):
        done = run(*command, *options)
        assert (done.status, done.out) == (2, "")
        assert words in done.err


def test_a_wrong_file_names_the_field(index: str, tmp_path: Path, run: Any) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[rerankers.it]\nkind = "fake"\nmillis = 3\n')
    done = run("search", index, "emu", "--rerank", "it", "--rerankers", str(path))
    assert done.status == 2
    assert f"{path}: rerankers.it.millis: " in done.err


def test_similar_specs_are_different_rerankers(index: str, judged: list[str], run: Any) -> None:
    done = run("eval", index, *judged, "--table", "--rerank", "fake@1", "--rerank", "fake+fake@1")
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == [
        "first",
        "fake@1",
        "fake+fake@1",
    ]


def test_eval_prints_the_cost_of_reranking(
    index: str, judged: list[str], tmp_path: Path, run: Any
) -> None:
    out = tmp_path / "out.trec"
    command = ["eval", index, *judged, "--rerank", "fake", "--measures", "RR@10"]
    found = run(*command, "--run", str(out), "--json").json
    assert found["rerank"]["model"] == "fake"
    cost = found["rerank"]
    assert (cost["queries"], cost["candidates"], cost["judged"]) == (2, 4, 4)
    assert (cost["partial"], cost["failed"], cost["truncated"]) == (0, 0, 0)
    assert cost["usage"]["calls"] == 4
    assert cost["calls_per_query"] == 2
    assert cost["tokens_per_query"] * 2 == cost["usage"]["prompt_tokens"]
    assert 0 < cost["p50"] <= cost["p95"]
    # A run has the order of the reranker, which may differ from its scores.
    assert list(read_run(out)["1"].items()) == [("kiwi", 1.0), ("emu", 0.5), ("hawk", 1 / 3)]
    done = run(*command, "--rerank-calls", "1")
    assert "fake: 1.0 calls and " in done.err
    assert "1 partial, 0 failed; p50 " in done.err


def test_a_table_of_rerankers(index: str, judged: list[str], file: str, run: Any) -> None:
    command = ["eval", index, *judged, "--table", "--rerankers", file]
    command += ["--rerank", "words", "--rerank", "broken", "--measures", "RR@10,R@1"]
    done = run(*command)
    header, *rows = done.out.splitlines()
    assert header.split() == (
        ["RR@10", "p", "R@1", "p", "calls/query", "tokens/query", "p50", "ms"]
    )
    assert [row.split()[0] for row in rows] == ["first", "words", "broken"]
    assert "broken: 0.0 calls" in done.err
    assert "0 partial, 2 failed" in done.err
    assert "  2 queries: failed, the hits keep their original order: " in done.err
    first, words, broken = run(*command, "--legs", "lexical", "--json").json["rerank_table"]
    assert "rerank" not in first
    assert broken["measures"] == first["measures"]
    assert words["measures"]["RR@10"] > first["measures"]["RR@10"]
    assert words["comparisons"]["RR@10"]["wins"] == 1
    assert words["comparisons"]["RR@10"]["difference"] == pytest.approx(
        words["measures"]["RR@10"] - first["measures"]["RR@10"]
    )
    assert run(*command, "--run", "x.trec").status == 2


def test_serve_takes_a_file(tmp_path: Path, file: str, monkeypatch: Any) -> None:
    taken: list[dict[str, Any]] = []
    monkeypatch.setattr(server, "serve", lambda root, **given: taken.append(given))
    assert main(["serve", str(tmp_path), "--rerankers", file]) == 0
    assert main(["serve", str(tmp_path)]) == 0
    assert [given["settings"].rerankers for given in taken] == [Path(file), None]
