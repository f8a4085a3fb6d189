"""`twindex train cross-encoder`: files, output and errors."""

from __future__ import annotations

import json

import pytest

from twindex.api.cli.main import main
from twindex.llm import WHEELS
from twindex.llm.weights import places as weights

DOCUMENTS = 30


@pytest.fixture
def data(tmp_path):
    """A BEIR folder in which one word identifies the relevant document."""
    documents = [
        {
            "_id": f"d{i}",
            "title": f"about {i}",
            "text": f"{'because' if i % 2 else 'and'} it is so word{i} " + "all that is told " * 4,
        }
        for i in range(DOCUMENTS)
    ]
    queries = [{"_id": f"q{i}", "text": f"what is told of word{i}"} for i in range(1, DOCUMENTS, 2)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, documents)))
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)))
    lines = [f"q{i}\td{i}\t1" for i in range(1, DOCUMENTS, 2)]
    (tmp_path / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]))
    return tmp_path


def command(data, *further, out="model"):
    return [
        *("train", "cross-encoder", str(data / out), "--documents", str(data / "corpus.jsonl")),
        *("--queries", str(data / "queries.jsonl"), "--qrels", str(data / "train.tsv"), "--quiet"),
        *further,
    ]


def readable(folder):
    """Return the mode of a new file under the umask."""
    (folder / "new").touch()
    return (folder / "new").stat().st_mode & 0o777


FAST = (
    *("--init", "splade-tiny", "--layers", "1", "--max-length", "48", "--epochs", "1"),
    *("--negatives", "3", "--rerank", "5", "--validations", "1", "--device", "cpu"),
)


@pytest.fixture(autouse=True)
def _needs_weights():
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")


def test_training_reports_its_results(data, capsys):
    assert main(command(data, *FAST, "--synthetic", "4", "--json")) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["queries"]["judged"] == 12
    assert report["held_out"] == 3
    assert report["folder"] == "model"
    assert json.loads((data / "model" / "training.json").read_text())["best"] == report["best"]
    assert (data / "model" / "model.safetensors").stat().st_mode & 0o777 == readable(data)
    assert main(command(data, *FAST)) == 2
    assert "exists already" in capsys.readouterr().err


def test_training_prints_a_table(data, capsys):
    assert main(command(data, *FAST, "--precision", "float32")) == 0
    shown = capsys.readouterr()
    assert "BM25" in shown.out
    assert "held-out queries" in shown.out
    assert "in float32" in shown.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--epochs", "0"], "--epochs: "),
        (["--lr", "-1"], "--lr: "),
        (["--init", "no-such-model"], "not on this machine"),
        (
            ["--layers", "3", "--init", "splade-tiny"],
            "--layers: must be at most 2 (the number of layers of model 'splade-tiny')",
        ),
        (["--max-length", "9999", "--init", "splade-tiny"], "--max-length: "),
    ],
)
def test_wrong_options(data, capsys, options, message):
    assert main(command(data, *options)) == 2
    assert message in capsys.readouterr().err
    assert not (data / "model").exists()


def test_judgements_without_matching_queries_are_rejected(data, capsys):
    (data / "train.tsv").write_text("query-id\tcorpus-id\tscore\nother\td1\t1\n")
    assert main(command(data)) == 2
    assert "--qrels: no query has judgements" in capsys.readouterr().err


def test_a_kind_is_required(capsys):
    with pytest.raises(SystemExit):
        main(["train"])
    assert "KIND" in capsys.readouterr().err
