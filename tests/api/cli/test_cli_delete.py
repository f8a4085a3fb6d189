"""`twindex delete`: files of ids, and filters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.search import Collection
from twindex.sources import lines


@pytest.fixture
def index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    corpus = tmp_path / "c.jsonl"
    names = ["kiwi", "hawk", "two\u2028lines", "eel"]
    records = [{"id": name, "text": "bird", "year": n} for n, name in enumerate(names)]
    corpus.write_text("".join(json.dumps(record) + "\n" for record in records))
    fakes = ["--dense", "none", "--sparse", "none", "--quiet"]
    assert main(["build", str(tmp_path / "index"), "--documents", str(corpus), *fakes]) == 0
    capsys.readouterr()
    return str(tmp_path / "index")


def left(index: str) -> int:
    with Collection.open(index, read_only=True) as collection:
        return collection.count()


def test_ids_are_lines_of_a_file(index: str, tmp_path: Path, run: Any) -> None:
    """Only line feeds end a line. An id may contain other line breaks of Python."""
    file = tmp_path / "ids.txt"
    file.write_bytes("\ufeffkiwi\r\n\ntwo\u2028lines\nnowhere\nkiwi".encode())
    report = run("delete", index, "--ids-file", str(file), "--json").json
    assert report == {"deleted": 2, "not_found": 1}
    assert left(index) == 2


def test_ids_come_from_standard_input(index: str) -> None:
    command = [sys.executable, "-m", "twindex.api.cli.main", "delete", index, "--ids-file", "-"]
    done = subprocess.run(command, input="kiwi\neel\n", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2 documents deleted\n")


@pytest.mark.timeout(60)
def test_an_unreadable_file_of_ids_is_named(
    index: str, tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 1_000)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").write_text("kiwi\n" * 201)
    (tmp_path / "binary").write_bytes(b"kiwi\n\0")
    (tmp_path / "latin").write_bytes(b"kiwi\n\xff")
    for name, words in (
        ("pipe", "pipe: is a named pipe, not a regular file; to read from a pipe, use `-`"),
        ("zero", "zero: is a device, not a regular file"),
        ("large", "large: the file has more than 1,000 bytes; split it"),
        ("binary", "binary:2: the line has a NUL byte"),
        ("latin", "latin:2: the line is not UTF-8"),
        ("none", "none: cannot be read: No such file"),
    ):
        done = run("delete", index, "--ids-file", str(tmp_path / name))
        assert (done.status, done.out) == (2, "")
        assert words in done.err
    assert left(index) == 4


def test_an_unknown_field_of_the_filter_warns(index: str, run: Any) -> None:
    warning = "filter: no document has a field 'yaer'; did you mean 'year'?"
    done = run("delete", index, "--filter", '{"yaer": {"gt": 1}}')
    assert (done.status, done.out) == (0, "0 documents deleted\n")
    assert done.err == f"warning: {warning}\n"
    report = run("delete", index, "--filter", '{"or": [{"yaer": 1}, {"year": 1}]}', "--json")
    assert report.json == {"deleted": 1, "warnings": [warning]}
    done = run("delete", index, "--filter", '{"year": 0}', "--json")
    assert (done.json, done.err) == ({"deleted": 1, "warnings": []}, "")
