"""Compiles the shim that records file operations and makes them fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import twindex

HERE = Path(__file__).parent
Run = Callable[..., str]


@pytest.fixture(scope="session")
def run_watched(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A function that runs `workload.py` with the shim and returns its output."""
    if not sys.platform.startswith("linux") or shutil.which("gcc") is None:
        pytest.skip("needs Linux and gcc to intercept the file operations of a process")
    library = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(
        ["gcc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "shim.c", "-lpthread"], check=True
    )

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
