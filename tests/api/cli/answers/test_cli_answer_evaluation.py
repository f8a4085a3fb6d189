"""`twindex eval --answers`, `twindex calibrate --answers` and comparisons of saved answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.search import GeneratorRegistry

BIRDS = ["kiwi", "emu", "swift", "owl", "robin", "stork", "heron", "eagle", "finch", "raven"]
CITIES = ["Lima", "Oslo", "Rome", "Cairo", "Quito", "Delhi", "Paris", "Tunis", "Seoul", "Accra"]


def lines(path: Path, values: list[Any]) -> None:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    pairs = list(zip(BIRDS, CITIES, strict=True))
    lines(
        folder / "corpus.jsonl",
        [{"_id": b, "text": f"The {b} lives near the city of {c}. It flies."} for b, c in pairs],
    )
    lines(
        folder / "queries.jsonl",
        [
            *({"_id": b, "text": f"Near which city does the {b} live?"} for b in BIRDS),
            {"_id": "none", "text": "Who discovered penicillin near the city?"},
            {"_id": "unjudged", "text": "Who?"},
        ],
    )
    lines(
        folder / "answers.jsonl",
        [*({"_id": b, "answers": [c]} for b, c in pairs), {"_id": "none", "answers": []}],
    )
    rows = "".join(f"{bird}\t{bird}\t1\n" for bird in BIRDS)
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{rows}")
    models = ["--dense", "none", "--sparse", "none", "--quiet"]
    corpus = str(folder / "corpus.jsonl")
    assert main(["build", str(folder / "index"), "--documents", corpus, *models]) == 0
    return folder


@pytest.fixture
def call(built: Path, run: Any) -> Any:
    def call(command: str, *options: str, answers: bool = True) -> Any:
        files = {"queries": "queries.jsonl", "qrels": "qrels.tsv"}
        files |= {"answers": "answers.jsonl"} if answers else {}
        given = [part for name, file in files.items() for part in (f"--{name}", str(built / file))]
        return run(command, str(built / "index"), *given, "--quiet", *options)

    return call


def test_table(call: Any) -> None:
    done = call("eval")
    assert done.status == 0, done.err
    found = dict(line.rsplit(maxsplit=1) for line in done.out.splitlines())
    assert found["match"] == f"{10 / 11:.4f}"
    assert found["answered wrongly"] == f"{1 / 11:.4f}"
    assert "11 questions, 1 unanswerable; generator extractive" in done.err


def test_json_can_be_compared(call: Any, run: Any, tmp_path: Path) -> None:
    report = call("eval", "--json", "--context-tokens", "40", "--per-document", "1").json
    assert report["measures"]["match"] == pytest.approx(10 / 11)
    assert len(report["per_query"]["F1"]) == 11
    assert report["request"]["context"] == {"tokens": 40, "per_document": 1}
    assert report["cost"]["calls"] == 0
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(report))
    done = run("compare", *(str(tmp_path / f"{name}.json") for name in ("a", "b")))
    assert (done.status, "match" in done.out) == (0, True)


def test_saved_answers_are_compared_by_a_paired_test(call: Any, run: Any, tmp_path: Path) -> None:
    paths = [tmp_path / "whole.jsonl", tmp_path / "short.jsonl"]
    for path, most in zip(paths, ("40", "2"), strict=True):
        assert call("eval", "--max-tokens", most, "--answers-file", str(path)).status == 0
    before = paths[0].read_bytes()
    assert call("eval", "--max-tokens", "40", "--answers-file", str(paths[0])).status == 0
    assert paths[0].read_bytes() == before
    done = run("compare", *map(str, paths), "--measures", "match")
    assert done.status == 0, done.err
    row = done.out.splitlines()[-1].split()
    assert (row[0], row[1], row[5]) == ("short", "0.0000", "10")
    done = call("eval", "--max-tokens", "3", "--answers-file", str(paths[0]))
    assert (done.status, "but request.max_tokens is 3 now" in done.err) == (2, True)


def test_the_printed_rule_can_be_used(call: Any, tmp_path: Path) -> None:
    done = call("calibrate", "--coverage", "0.5")
    assert done.status == 0, done.err
    file = tmp_path / "generators.toml"
    file.write_text(done.out[done.out.index("[generators") :])
    rule = GeneratorRegistry.read(file).config("extractive").abstention
    assert rule is not None
    assert "lexical.top_score" in rule.names
    generators = ["--generators", str(file)]
    ruled = call("eval", "--json", *generators).json
    assert ruled["measures"]["match"] > 10 / 11
    assert ruled["refused"]["insufficient sources"] >= 1
    curve = call("eval", "--json", "--no-abstain", *generators).json["coverage"]
    assert curve["accuracy"]["1.0"] == pytest.approx(10 / 11)
    assert curve["nauc"] == pytest.approx(1)
    shown = call("eval", "--no-abstain", *generators)
    assert "match of the most confident" in shown.out
    again = call("calibrate", "--json", *generators, "--accuracy", "0.9").json
    assert (again["examples"], again["sufficient"]) == (21, 10)
    assert again["at_threshold"]["accuracy"] >= 0.9


def test_a_failing_model_is_not_a_mistake_of_the_user(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "generators.toml"
    file.write_text('[generators.bad]\nkind = "fake"\nfails_at = 0\n')
    done = call("eval", "--generators", str(file))
    assert (done.status, "fails after 0 words" in done.err) == (1, True), done.err


def test_answers_with_a_background(call: Any) -> None:
    options = ["--json", "--generator", "fake", "--background", "fake"]
    both = call("eval", *options).json
    assert both["request"]["background"] == {"model": "fake"}
    assert both["cost"]["calls"] == 2
    alone = call("eval", *options, "--background-only").json
    assert alone["cost"]["prompt_tokens"] < both["cost"]["prompt_tokens"]
    done = call("eval", *options, "--background-only", "--legs", "lexical")
    assert (done.status, "--background-only: searches nothing" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("eval", ["--background-only"], "--background-only: requires --background"),
        ("eval", ["--background", "fake", "--background-share", "0"], "--background-share: must"),
        ("eval", ["--table"], "--table: cannot be combined with --answers"),
        ("eval", ["--measures", "AP"], "--measures: cannot be combined with --answers"),
        ("eval", ["--generator", "x"], "--generator: 'x': unknown kind of generator 'x'"),
        ("eval", ["--generator", "extractive:x"], "write one of extractive, language-model"),
        ("calibrate", ["--judged-only"], "--judged-only: cannot be combined with --answers"),
        ("calibrate", ["--accuracy", "1.5"], "--accuracy: must be above 0 and at most 1"),
        ("calibrate", ["--folds", "1"], "--folds: must be at least 2"),
    ],
)
def test_wrong_options(call: Any, command: str, options: list[str], message: str) -> None:
    done = call(command, *options)
    assert (done.status, message in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("eval", ["--generator", "extractive"]),
        ("eval", ["--no-abstain"]),
        ("eval", ["--background", "fake"]),
        ("eval", ["--background-share", "0.5"]),
        ("eval", ["--answers-file", "x.jsonl"]),
        ("calibrate", ["--accuracy", "0.5"]),
    ],
)
def test_options_that_require_answers(call: Any, command: str, options: list[str]) -> None:
    done = call(command, *options, answers=False)
    assert (done.status, f"{options[0]}: requires --answers" in done.err) == (2, True), done.err


def test_questions_of_another_set(call: Any, built: Path, tmp_path: Path) -> None:
    lines(tmp_path / "other.jsonl", [{"_id": "q9", "answers": ["x"]}])
    done = call("eval", "--answers", str(tmp_path / "other.jsonl"), answers=False)
    assert (done.status, "--answers: has no entry for any of the 12 queries" in done.err) == (
        2,
        True,
    )


def test_a_reranker_orders_the_passages(call: Any, tmp_path: Path) -> None:
    file = tmp_path / "rerankers.toml"
    file.write_text('[rerankers.words]\nkind = "fake"\n')
    rerank = ["--rerank", "words", "--rerankers", str(file)]
    done = call("calibrate", *rerank)
    assert done.status == 0, done.err
    assert "rerank_top" in done.out
    rules = tmp_path / "generators.toml"
    rules.write_text(done.out[done.out.index("[generators") :])
    found = call("eval", "--json", "--generators", str(rules), *rerank).json
    assert found["measures"]["match"] > 0.5
    without = call("eval", "--json", "--generators", str(rules)).json
    assert (without["coverage"], without["abstention_rate"]) == (None, 0)
