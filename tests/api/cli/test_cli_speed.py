"""What the commands say about time, and how they share the cores."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.terminal import print_result
from twindex.core import SearchResult


def test_the_time_of_loading_models_is_shown_apart(capsys: Any) -> None:
    print_result(SearchResult((), 0, "eq", {"load": 2_100.0, "encode": 3.0, "fuse": 1.0}))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "0 of 0 documents in 4.0 ms (encode 3.0, fuse 1.0)",
        "models loaded before that, in 2.1 s",
    ]


def test_encoding_lets_waiting_threads_sleep(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "1", "text": "The kiwi cannot fly."}\n')
    named = [str(tmp_path / "a"), "--documents", str(corpus), "--quiet"]
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert run("build", *named, "--dense", "none", "--sparse", "none").status == 0
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert run("add", *named).status == 0
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
