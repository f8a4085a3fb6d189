"""Data sets of ir_datasets, from its cache only, and folders in BEIR's layout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from twindex.core import MissingExtraError, SourceError
from twindex.sources import count_documents, holds_records, read_documents, survey
from twindex.sources.named_datasets import _fields

CODE = """
import json, socket, sys
def refuse(*_, **__): raise AssertionError("the network was used")
socket.socket.connect = socket.getaddrinfo = refuse
from twindex.core import SourceError
from twindex.sources import count_documents, read_documents
count = count_documents(["irds:vaswani"])
try:
    found = [[one.id, one.text] for one in read_documents("irds:vaswani")]
except SourceError as error:
    found = str(error)
print(json.dumps([count, found]))
"""


def offline(home: Path) -> list[object]:
    environment = {**os.environ, "IR_DATASETS_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_data_set_is_read_from_the_cache_without_network(tmp_path: Path) -> None:
    message = "irds:vaswani: is not in the cache of ir_datasets; --allow-download downloads it"
    assert offline(tmp_path) == [11429, message]
    (tmp_path / "vaswani").mkdir(exist_ok=True)
    (tmp_path / "vaswani" / "docs.txt").write_text("1\nfirst\ntext\n   /\n2\nsecond\n   /\n")
    assert offline(tmp_path) == [11429, [["1", "first\ntext\n"], ["2", "second\n"]]]


def test_unknown_data_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="ir_datasets has no data set 'no/such'"):
        list(read_documents("irds:no/such"))
    monkeypatch.setitem(sys.modules, "ir_datasets", None)
    with pytest.raises(MissingExtraError, match=r"twindex\[datasets\]"):
        list(read_documents("irds:vaswani"))


def test_fields_of_data_sets() -> None:
    plain = namedtuple("plain", "doc_id text")("1", "t")
    assert _fields(plain) == {"id": "1", "title": "", "text": "t", "metadata": {}}
    rich = namedtuple("rich", "doc_id title abstract url year marked links")
    assert _fields(rich("2", "T", "a", "http://x", 1999, b"", [])) == {
        "id": "2",
        "title": "T",
        "text": "a",
        "metadata": {"url": "http://x", "year": 1999},
    }


@pytest.mark.parametrize("beside", [["queries.jsonl"], ["qrels/test.tsv", "README.md"], []])
def test_beir_folder_stands_for_its_corpus(tmp_path: Path, beside: list[str]) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "a"}\n')
    for name in beside:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"_id": "q", "text": "query"}\n')
    assert [document.id for document in read_documents(tmp_path)] == ["1"]
    assert count_documents([tmp_path]) == 1
    assert holds_records(tmp_path)
    assert survey([tmp_path]).read == {".jsonl": 1}
    assert survey([tmp_path]).lost == ("README.md" in beside)


def test_corpus_among_other_files_is_no_beir_folder(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "1", "text": "a"}\n')
    (tmp_path / "notes.md").write_text("note")
    assert [document.id for document in read_documents(tmp_path)] == ["notes.md"]
    assert survey([tmp_path]).left_out == {"with records": {".jsonl": 1}}
