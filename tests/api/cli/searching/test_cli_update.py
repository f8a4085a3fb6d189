"""`twindex update`: metadata of documents by ids and by a filter."""

from __future__ import annotations

import json

import pytest

from twindex.api.cli.main import main
from twindex.search import Collection


@pytest.fixture
def index(tmp_path, capsys):
    corpus = tmp_path / "c.jsonl"
    records = [{"id": name, "text": "bird", "year": n} for n, name in enumerate(["kiwi", "emu"])]
    corpus.write_text("".join(json.dumps(record) + "\n" for record in records))
    fakes = ["--dense", "none", "--sparse", "none", "--quiet"]
    assert main(["build", str(tmp_path / "index"), "--documents", str(corpus), *fakes]) == 0
    capsys.readouterr()
    return str(tmp_path / "index")


def metadata(index, name):
    with Collection.open(index, read_only=True) as collection:
        return collection.get(name).metadata


def test_ids_filters_and_tags_choose_documents(index, capsys):
    assert main(["update", index, '{"seen": true}', "--id", "kiwi", "dodo", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"updated": 1, "unchanged": 0, "not_found": ["dodo"], "warnings": []}
    assert main(["update", index, '{"year": null}', "--filter", '{"seen": true}']) == 0
    assert "1 document changed" in capsys.readouterr().out
    assert metadata(index, "kiwi") == {"seen": True}
    assert main(["get", index, "kiwi", "--tag"]) == 0
    tag = capsys.readouterr().out.strip()
    assert main(["update", index, '{"n": 1}', "--id", "kiwi", "--if-match", tag]) == 0
    assert main(["update", index, '{"n": 2}', "--id", "kiwi", "--if-match", tag]) != 0
    assert "read the document again" in capsys.readouterr().err
    assert metadata(index, "kiwi") == {"seen": True, "n": 1}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["{", "--id", "kiwi"], "METADATA"),
        (["[]", "--id", "kiwi"], "METADATA"),
        (["{}", "--filter", '{"year": 1}', "--if-match", "x"], "--if-match"),
    ],
)
def test_a_wrong_argument_is_named(index, given, text, capsys):
    assert main(["update", index, *given]) != 0
    assert text in capsys.readouterr().err
