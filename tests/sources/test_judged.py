"""Reading the queries and judgements of evaluation sets."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from twindex.core import Query, SourceError
from twindex.sources import read_qrels, read_queries


def write(path: Path, content: str) -> Path:
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("q.jsonl", '{"_id": "1", "text": "a b", "metadata": {}}\n\n{"id": 2, "text": "c"}'),
        ("q.jsonl.gz", '{"_id": "1", "text": "a b"}\n{"_id": "2", "text": "c"}\n'),
        ("q.tsv", "1\ta b\r\n2\tc\r\n"),
    ],
)
def test_read_queries(tmp_path: Path, name: str, content: str) -> None:
    assert read_queries(write(tmp_path / name, content)) == [Query("1", "a b"), Query("2", "c")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "q.jsonl",
            '{"_id": "1", "text": "a"}\n{"_id": "1", "text": "b"}',
            r":2: another query has the id 1; remove one",
        ),
        ("q.jsonl", '{"_id": "1"}', r":1: text: a query requires a non-empty text"),
        ("q.jsonl", '{"text": "a"}', r":1: id: is missing"),
        ("q.jsonl", "{", r":1: the line is not valid JSON"),
        ("q.tsv", "1 a", r":1: the line has no tab"),
        ("q.tsv", "1\t ", r":1: text"),
        ("q.jsonl", "", "the file contains no queries"),
    ],
)
def test_invalid_queries_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_queries(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", "query-id\tcorpus-id\tscore\n1\ta b\t2\n1\tb\t0\n2\ta\t1\n"),
        ("t.tsv.gz", "1\ta b\t2\n1\tb\t0\n1\tb\t0\n2\ta\t1\n"),
    ],
)
def test_read_qrels_of_beir(tmp_path: Path, name: str, content: str) -> None:
    found = read_qrels(write(tmp_path / name, content))
    assert found == {"1": {"a b": 2, "b": 0}, "2": {"a": 1}}


def test_read_qrels_of_trec(tmp_path: Path) -> None:
    path = write(tmp_path / "t.qrels", "1 0 a 2\n1\t0\tb\t-1\n2 Q0 a 1")
    assert read_qrels(path) == {"1": {"a": 2, "b": -1}, "2": {"a": 1}}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("q\td\ts\n1\ta\tx\n", ":2: score: must be an integer, got 'x'"),
        ("1 0 a x\n", ":1: score"),
        ("1 a\n", ":1: a line must have 3 columns .*, got 2"),
        ("1 0 a 1 z\n", ":1: a line must have 3 columns .*, got 5"),
        ("1\ta\t1\n1\ta\t2\n", ":2: document a has two grades"),
        ("1\t\t1\n", ":1: the ids of query and document must not be empty"),
        ("query-id\tcorpus-id\tscore\n", "the file contains no judgements"),
    ],
)
def test_invalid_judgements_are_refused(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_qrels(write(tmp_path / "t.tsv", content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        read_qrels(tmp_path / "t.tsv")
