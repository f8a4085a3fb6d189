"""A program outside the repository gets the types of the installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import twindex

HOUSE = Path(twindex.__file__).parent.resolve()
CORE = """
from twindex.core import Document
reveal_type(Document("1", "kiwi").metadata)
Document(7, "kiwi")
"""
SEARCH = """
from twindex.search import Collection
reveal_type(Collection.open("index").get)
Collection.open(7)
"""


def run(*command: object, folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MYPYPATH")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**kept, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the installed repository, including its links."""
    for name, least in (("pip", 21), ("setuptools", 77)):
        try:
            found = version(name)  # Importing setuptools would replace distutils here.
        except PackageNotFoundError:
            found = "0"
        if int(found.partition(".")[0]) < least:
            pytest.skip(f"{name} {least} is not installed")
    copy = tmp_path_factory.mktemp("project") / "checkout"
    left_out = {"tests", "benchmarks", "docs", "demo", "build", "dist"}

    def ignored(folder: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".") and name != ".package"}
        return hidden | {"__pycache__"} | (left_out if Path(folder) == HOUSE else set())

    shutil.copytree(HOUSE, copy, symlinks=True, ignore=ignored)
    return copy


@pytest.fixture(scope="module")
def python(project, tmp_path_factory):
    """The Python of a new environment with an editable install and the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(run(python, "-c", code, folder=folder).stdout.strip())
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    options = ["--no-deps", "--no-build-isolation", "--ignore-installed", "--quiet"]
    installed = run(python, "-m", "pip", "install", *options, "-e", project, folder=folder)
    assert installed.returncode == 0, installed.stderr
    return python


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        pytest.param(CORE, "Mapping[str, Any]", id="core", marks=pytest.mark.slow),
        pytest.param(
            SEARCH,
            "def (id: str) -> twindex.core.types.Document",
            id="search",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_editable_install_has_types(project, python, tmp_path, program, expected):
    (tmp_path / "use.py").write_text(program)
    checked = run(python, "-m", "mypy", "--strict", "use.py", folder=tmp_path)
    revealed, mistake = checked.stdout.splitlines()[:2]
    assert revealed.startswith("use.py:3: note: Revealed type is "), checked.stdout
    assert revealed.replace("typing.", "").endswith(f'"{expected}"'), checked.stdout
    assert 'has incompatible type "int"; expected' in mistake, checked.stdout
    where = run(python, "-c", "import twindex; print(twindex.__file__)", folder=tmp_path)
    assert Path(where.stdout.strip()).resolve() == project / "__init__.py", where.stderr


def test_wheel_has_the_package_and_its_types(project, tmp_path):
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    built = run(sys.executable, "-c", build, tmp_path, folder=project)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [HOUSE / "__init__.py", HOUSE / "__main__.py", HOUSE / "py.typed"]
    for room in (p for p in HOUSE.iterdir() if (p / "__init__.py").is_file() and p.name != "tests"):
        files += [path for path in room.rglob("*") if path.is_file()]
    expected = {f"twindex/{path.relative_to(HOUSE).as_posix()}" for path in files}
    expected = {name for name in expected if "__pycache__" not in name}
    assert {name for name in names if name.startswith("twindex/")} == expected
