"""Runs examples in a folder of their own."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..house import HOUSE

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `examples/NAME` with arguments in a temporary folder; return its output."""

    def run_example(name: str, *arguments: str) -> str:
        monkeypatch.chdir(tmp_path)
        path = str(HOUSE / "examples" / name)
        monkeypatch.setattr(sys, "argv", [path, *arguments])
        runpy.run_path(path, run_name="__main__")
        return capsys.readouterr().out

    return run_example


@pytest.fixture
def run_alone(tmp_path: Path) -> Run:
    """As `run`, in a separate process, as a user does. The process imports everything again."""

    def run_example(name: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", str(HOUSE / "examples" / name), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=600,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_example
