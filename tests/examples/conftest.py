"""Runs examples as a user does: in a separate process and folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..house import HOUSE

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `examples/NAME` with arguments in a temporary folder; return its output."""

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
