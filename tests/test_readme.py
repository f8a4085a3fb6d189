"""The README's quick start runs as it stands, and its commands exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import twindex
from twindex.api.cli import main
from twindex.core import ModelError
from twindex.llm import find_weights

README = (Path(twindex.__file__).parent / "README.md").read_text()


def test_the_five_lines_run(tmp_path):
    try:
        find_weights("all-MiniLM-L6-v2")
        find_weights("splade-tiny")
    except ModelError as error:
        pytest.skip(f"needs the default models: {error}")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:twindex"},
    ).stdout
    first = printed.splitlines()[0]
    assert first.startswith("kiwi "), printed
    assert "'dense': 1" in first


@pytest.mark.parametrize(
    "command", [line for line in README.splitlines() if line.startswith("twindex ")]
)
def test_every_command_of_the_readme_is_understood(command, tmp_path, monkeypatch, capsys):
    """Run in an empty folder: nothing may be wrong but that the files are not there."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command)[1:]
    if words[0] == "serve":
        words = ["serve", "--help"]
        with pytest.raises(SystemExit) as caught:
            main(words)
        assert caught.value.code == 0
        return
    assert main(words) == 2
    message = capsys.readouterr().err
    assert "no such" in message.lower() or "holds no collection" in message, message


def test_the_example_of_language_models_runs(capsys):
    page = (Path(twindex.__file__).parent / "docs" / "language-models.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "language-models.md", "exec"), {})  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert "Usage(calls=1" in printed
