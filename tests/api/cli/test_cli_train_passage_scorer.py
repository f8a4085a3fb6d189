"""`twindex train passage-scorer` on meetings of a real collection."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import pytest

from twindex.api.cli.main import main
from twindex.rerank import (
    Candidate,
    FakeRerankerConfig,
    IntraDocumentConfig,
    load_reranker,
    rerank_one,
)


@pytest.fixture(scope="module")
def meetings(shared_data, tmp_path_factory) -> Path:
    """Six meetings and the queries about them."""
    folder = tmp_path_factory.mktemp("meetings")
    source = shared_data / "qmsum_meetings_long"
    with (source / "corpus.jsonl").open() as lines:
        documents = [json.loads(line) for line in islice(lines, 6)]
    for document in documents:
        document["text"] = document["text"][:12_000]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    names = {document["_id"] for document in documents}
    header, *rows = (source / "qrels" / "test.tsv").read_text().splitlines()
    kept = [row for row in rows if row.split("\t")[1] in names]
    (folder / "qrels.tsv").write_text("\n".join([header, *kept]) + "\n")
    (folder / "queries.jsonl").write_bytes((source / "queries.jsonl").read_bytes())
    return folder


def command(meetings: Path, output: Path, *more: str) -> list[str]:
    options = ["--top", "3", "--dimensions", "16", "--epochs", "1", "--depth", "2", "--quiet"]
    return [
        *("train", "passage-scorer", str(output), "--slow", "fake", *options),
        *("--documents", str(meetings / "corpus.jsonl")),
        *("--queries", str(meetings / "queries.jsonl"), "--qrels", str(meetings / "qrels.tsv")),
        *more,
    ]


@pytest.mark.slow
def test_the_folder_that_it_writes_picks_windows(meetings, tmp_path, capsys):
    output = tmp_path / "scorer"
    assert main(command(meetings, output, "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    queries = len((meetings / "qrels.tsv").read_text().splitlines()) - 1
    assert report["queries"] == queries
    assert queries < report["documents"] <= 2 * queries
    assert len(report["found"]) == 2
    assert len(report["weights"]) == 3
    config = IntraDocumentConfig(slow=FakeRerankerConfig(), fast=str(output), windows=3)
    with (meetings / "corpus.jsonl").open() as lines:
        texts = [json.loads(line)["text"] for line in lines]
    candidates = [Candidate(str(i), text) for i, text in enumerate(texts)]
    found = rerank_one(load_reranker(config), "What did Barry Hughes think?", candidates)
    assert found.status == "complete"
    assert found.usage.calls == 3 * 6
    # The folder is complete and is not overwritten.
    assert main(command(meetings, output)) != 0
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (["--slow", "pairwise"], "--slow"),
        (["--slow", "nonsense"], "--slow: 'nonsense'"),
        (["--epochs", "0"], "--epochs"),
        (["--model", "no-such-model"], "not on this machine"),
        (["--windows", "1"], "--windows"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(meetings, tmp_path, capsys, given, part):
    output = tmp_path / "scorer"
    assert main(command(meetings, output, *given)) in (1, 2)
    assert part in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
