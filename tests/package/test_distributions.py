"""The distributions can be built, are complete, and work after installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pytest

from ..house import HOUSE

pytestmark = pytest.mark.slow
SHARED = (
    "client/blocking.py",
    "integrations/haystack/filters.py",
    "core/errors.py",
    "core/types.py",
    "py.typed",
    "LICENSE",
)
"""Files of the repository that the client also contains."""


LEFT_OUT = {
    ".git",
    ".venv",
    ".cache",
    "demo",
    "build",
    "dist",
    "__pycache__",
    "benchmarks",
    "shared",
}


def run(script: Path, folder: Path, *arguments: str, **variables: str) -> str:
    """Run a script in the environment of this Python and return its output."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    done = subprocess.run(
        ["bash", script, folder, *arguments],
        env={**kept, "PATH": path, "PIP_NO_INDEX": "1", **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both source distributions and wheels, built without a network."""
    for package in ("build", "hatchling", "setuptools"):
        try:
            version(package)
        except PackageNotFoundError:
            pytest.skip(f"needs {package}: pip install -c constraints.txt {package}")
    folder = tmp_path_factory.mktemp("distributions")
    copy = folder / "repository"  # Building leaves files behind.
    ignored = shutil.ignore_patterns(*LEFT_OUT, "*_cache", "*.egg-info", ".hypothesis")
    shutil.copytree(HOUSE, copy, symlinks=True, ignore=ignored)
    run(copy / ".ci" / "build-distributions", folder / "dist", "--no-isolation")
    return folder / "dist"


def members(path: Path) -> set[str]:
    if path.suffix == ".whl":
        return set(zipfile.ZipFile(path).namelist())
    with tarfile.open(path) as archive:
        assert not any(member.issym() for member in archive), path
        return {member.name.partition("/")[2] for member in archive if member.isfile()}


def test_four_distributions_have_a_license_and_no_tests(distributions):
    files = sorted(distributions.iterdir())
    assert [file.name.partition("-")[0] for file in files] == ["twindex"] * 2 + [
        "twindex_client"
    ] * 2
    for file in files:
        names = members(file)
        assert any(name.endswith("LICENSE") for name in names), file
        assert not any("tests/" in name or "__pycache__" in name for name in names), file


def test_descriptions_are_valid(distributions, tool):
    tool("twine", "check", "--strict", *distributions.iterdir())


def test_client_contains_the_shared_files(distributions):
    for file in distributions.glob("twindex_client-*"):
        names = members(file)
        for shared in SHARED:
            assert any(name.endswith(shared) for name in names), (file, shared)


def test_installed_wheels_build_search_and_serve(distributions):
    printed = run(
        HOUSE / ".ci" / "check-distributions",
        distributions,
        SITE=str(Path(np.__file__).parents[1]),
        PIP_OPTIONS="--quiet --no-deps --ignore-installed",
        PYTHON=sys.executable,
    )
    assert printed.endswith("both wheels work\n"), printed
