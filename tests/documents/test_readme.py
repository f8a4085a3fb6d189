"""The code of the README and of some pages runs, and their commands exist."""

from __future__ import annotations

import gzip
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import twindex
from twindex.api.cli.main import main
from twindex.core import ModelError
from twindex.llm import find_weights
from twindex.rerank import RERANKERS
from twindex.rerank.spec import usages
from twindex.search import Collection, RerankerRegistry

from ..house import forget

HOUSE = Path(twindex.__file__).parent
README = (HOUSE / "README.md").read_text()
DOCUMENTS, EVALUATION, PROMPTREPS, RERANKING = (
    (HOUSE / "docs" / f"{page}.md").read_text()
    for page in ("documents", "evaluation", "promptreps", "reranking")
)


def test_readme_is_short():
    assert len(README.encode()) < 8_192


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_quick_start_runs_twice(processes, tmp_path, monkeypatch, capsys):
    try:
        find_weights("all-MiniLM-L6-v2")
        find_weights("splade-tiny")
    except ModelError as error:
        pytest.skip(f"needs the default models: {error}")
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 6
    if processes == 1:  # This process. Most of the time of another goes into imports.
        monkeypatch.chdir(tmp_path)
        first, second = [
            (exec(code, {}), capsys.readouterr().out)[1]  # noqa: S102 - our own page
            for _ in range(2)
        ]
    else:
        first, second = [
            subprocess.run(
                [sys.executable, "-c", code],
                cwd=tmp_path,
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "error::DeprecationWarning:twindex"},
            ).stdout
            for _ in range(2)
        ]
    title, kiwi, *_ = first.splitlines()
    assert title.startswith("SearchResult: 2 of 2 documents"), first
    assert kiwi.split()[:2] == ["1", "kiwi"]
    assert "dense 1, sparse 1" in kiwi
    assert second.splitlines()[1:] == first.splitlines()[1:]


@pytest.mark.parametrize(
    "command",
    [
        line
        for page in (README, DOCUMENTS, EVALUATION, PROMPTREPS, RERANKING)
        for line in page.splitlines()
        if line[:8] == "twindex "
    ],
)
def test_every_command_is_valid(command, tmp_path, monkeypatch, capsys):
    """Run in an empty folder, a command fails only because its files do not exist."""
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
    assert "no such" in message.lower() or "contains no collection" in message, message


def test_command_reads_standard_input_and_an_array(tmp_path):
    (line,) = re.findall(r"^zcat .* --documents - .*\.json$", DOCUMENTS, re.MULTILINE)
    first, array = tmp_path / "first.jsonl", tmp_path / "array.json"
    first.write_text('{"_id": "1", "text": "kiwi"}\n')
    array.write_text('[{"_id": "3", "text": "hawk"},\n{"_id": "4", "text": "gull"}]')
    (tmp_path / "dump.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "2", "text": "eel"}\n'))
    fakes = ["--dense", "fake", "--sparse", "none", "--quiet"]
    index = tmp_path / "my-index"
    assert main(["build", str(index), "--documents", str(first), *fakes]) == 0
    program = f'twindex() {{ {shlex.quote(sys.executable)} -m twindex.api.cli.main "$@"; }}\n'
    done = subprocess.run(
        ["bash", "-c", f"{program}{line}"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    with Collection.open(index, read_only=True) as collection:
        assert [collection.get(name).text for name in "1234"] == ["kiwi", "eel", "hawk", "gull"]


def test_examples_of_reranking_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "".join(re.findall(r"```python\n(.*?)```", RERANKING, re.DOTALL))
    monkeypatch.setitem(sys.modules, "page", page := ModuleType("page"))
    try:
        exec(compile(code, "reranking.md", "exec"), vars(page))  # noqa: S102 - our own page
    finally:
        forget(RERANKERS, page.ShortestConfig)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["kiwi", "swift"]
    assert lines[2].startswith("complete Usage(calls=2")
    assert [line.split()[:3] for line in lines[3:5]] == [["2", "1", "1"], ["1", "2", "2"]]
    assert lines[5:] == ["complete 2", "swift"]


def test_file_of_rerankers_is_valid(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", RERANKING, re.DOTALL)
    (tmp_path / "rerankers.toml").write_text(text)
    read = RerankerRegistry.read(tmp_path / "rerankers.toml")
    assert read.names == ("fast", "careful", "judge")
    assert read.config("careful").candidates == 100


def test_reranking_page_names_every_kind_and_word():
    kinds = {*RERANKERS}
    cells = " ".join(line.split("|")[1] for line in RERANKING.splitlines() if line[:1] == "|")
    assert kinds <= set(re.findall(r"`([a-z_]+)`", cells))
    words = [re.split(r"[\[:]", kind)[0] for kind in usages()]
    assert [word for word in words if not re.search(rf"`{word}[`:\[]", RERANKING)] == []


def test_example_of_language_models_runs(capsys):
    page = (HOUSE / "docs" / "language-models.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(code, "language-models.md", "exec"), {})  # noqa: S102 - our own page
    printed = capsys.readouterr().out
    assert "Usage(calls=1" in printed
