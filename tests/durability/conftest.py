"""Compiles the shim that records file operations and makes them fail."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import twindex

from .shim import compiled

HERE = Path(__file__).parent
Run = Callable[..., str]


@pytest.fixture(scope="session")
def run_watched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A function that runs `workload.py` with the shim and returns its output."""
    library = compiled(tmp_path_factory.mktemp("shim"))

    def run(what: str, root: Path, *arguments: object) -> str:
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "SHIM_ROOT": str(root),
            "PYTHONPATH": str(_importable(tmp_path_factory)),
        }
        command = [sys.executable, HERE / "workload.py", what, root, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4_000:]
        return done.stdout

    return run


def _importable(factory: pytest.TempPathFactory) -> Path:
    """Return a folder from which `import twindex` imports the package under test."""
    folder = factory.getbasetemp() / "importable"
    folder.mkdir(exist_ok=True)
    link = folder / "twindex"
    if not link.exists():
        link.symlink_to(Path(twindex.__file__).parent, target_is_directory=True)
    return folder
