"""`twindex calibrate` with a reranker that needs no model."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twindex.api.cli.main import main
from twindex.rerank import CalibrationConfig
from twindex.rerank.calibrated import probability

TOML = """
[rerankers.words]
kind = "fake"
candidates = 8

[rerankers.broken]
kind = "fake"
fails_at = 0

[rerankers.wrong]
kind = "fake"
candidates = 8
calibration = { slope = 50, intercept = 7 }
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Queries of four words. Of the documents with k of these words, k / 5 are relevant."""
    folder = tmp_path_factory.mktemp("calibrate")
    numbers = np.random.default_rng(0)
    with (folder / "corpus.jsonl").open("w") as corpus, (folder / "qrels.tsv").open("w") as qrels:
        qrels.write("query-id\tcorpus-id\tscore\n")
        for query in range(60):
            for document in range(8):
                count = 1 + document % 4
                words = [f"q{query}w{i}" for i in range(count)]
                name = f"d{query}-{document}"
                corpus.write(json.dumps({"_id": name, "text": " ".join(words)}) + "\n")
                if document < 6:
                    grade = int(numbers.random() < count / 5) * 2
                    qrels.write(f"{query}\t{name}\t{grade}\n")
    with (folder / "queries.jsonl").open("w") as queries:
        for query in range(60):
            text = " ".join(f"q{query}w{i}" for i in range(4))
            queries.write(json.dumps({"_id": str(query), "text": text}) + "\n")
    (folder / "rerankers.toml").write_text(TOML)
    models = ["--dense", "none", "--sparse", "none", "--quiet"]
    corpus_file = str(folder / "corpus.jsonl")
    assert main(["build", str(folder / "index"), "--documents", corpus_file, *models]) == 0
    return folder


@pytest.fixture
def calibrate(built: Path, run: Any) -> Any:
    def call(*options: str, rerank: str = "words") -> Any:
        files = {"queries": "queries.jsonl", "qrels": "qrels.tsv", "rerankers": "rerankers.toml"}
        given = [part for name, file in files.items() for part in (f"--{name}", str(built / file))]
        return run("calibrate", str(built / "index"), *given, "--rerank", rerank, "--quiet",
                   *options)  # fmt: skip

    return call


def test_the_printed_calibration_can_be_used(calibrate: Any) -> None:
    done = calibrate("--judged-only")
    assert done.status == 0, done.err
    snippet = done.out[done.out.index("[rerankers") :]
    found = tomllib.loads(snippet)["rerankers"]["words"]["calibration"]
    calibration = CalibrationConfig.parse(found)
    for count in range(1, 5):
        # The score of the fake reranker is the share of the query's words.
        assert probability(count / 4, calibration) == pytest.approx(count / 5, abs=0.12)
    assert "360 hits of 60 queries" in done.err
    assert "skipped: 120 hits not judged" in done.err
    assert done.out.splitlines()[0].split()[-3:] == ["before", "constant", "calibrated"]


def test_hits_without_a_judgement_count_as_not_relevant(calibrate: Any) -> None:
    found = calibrate("--json").json
    assert (found["hits"], found["left_out"], found["unscored"]) == (480, 0, 0)
    judged = calibrate("--json", "--judged-only").json
    assert found["relevant"] == judged["relevant"]
    assert found["calibration"]["slope"] < judged["calibration"]["slope"]
    assert judged["after"]["error"] < judged["before"]["error"] + 0.05
    assert judged["after"]["log_loss"] < judged["constant"]["log_loss"]


def test_an_existing_calibration_is_ignored(calibrate: Any) -> None:
    mine, other = (calibrate("--json", rerank=name).json for name in ("words", "wrong"))
    assert mine["calibration"] == other["calibration"]


def test_grades(calibrate: Any) -> None:
    assert calibrate("--json", "--relevant-from", "2").json["relevant"] > 0
    done = calibrate("--relevant-from", "3")
    assert (done.status, "none of the 480 hits is relevant" in done.err) == (2, True)


def test_hits_beyond_a_budget_are_reported(calibrate: Any) -> None:
    found = calibrate("--json", "--rerank-calls", "5").json
    assert (found["hits"], found["unscored"]) == (300, 180)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "1"], "--folds: must be at least 2"),
    ],
)
def test_wrong_options(calibrate: Any, options: list[str], message: str) -> None:
    done = calibrate(*options)
    assert done.status == 2
    assert message in done.err


def test_failing_and_missing_rerankers_are_errors(calibrate: Any, built: Path) -> None:
    done = calibrate(rerank="broken")
    assert (done.status, "fails at hit 0" in done.err) == (2, True)
    done = calibrate(rerank="nothing")
    assert (done.status, "--rerank: 'nothing'" in done.err) == (2, True)
    one = ["--queries", str(built / "queries.jsonl"), "--qrels", str(built / "qrels.tsv")]
    assert main(["calibrate", str(built / "index"), *one]) == 2
