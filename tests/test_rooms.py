"""The rooms import downwards only, and importing them does nothing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .house import HOUSE, ROOMS


def imported_rooms(path: Path) -> set[str]:
    """Rooms that a file imports from, relatively."""
    depth = len(path.relative_to(HOUSE).parts)
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("twindex"), f"{path}: import relatively"
            if node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                found.update(name.split(".")[0] for name in names)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith("twindex") for alias in node.names), path
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_rooms_below_it(room):
    allowed = {*ROOMS[: ROOMS.index(room) + 1]}
    for path in sorted((HOUSE / room).rglob("*.py")):
        # The root's only name is the version.
        assert imported_rooms(path) - {"__version__"} <= allowed, path


def test_the_root_imports_nothing():
    tree = ast.parse((HOUSE / "__init__.py").read_text())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]


def test_every_package_is_listed_for_the_wheel():
    import tomllib

    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    listed = set(project["tool"]["setuptools"]["packages"])
    packages = {
        ".".join(["twindex", *path.parent.relative_to(HOUSE).parts])
        for room in ROOMS
        for path in (HOUSE / room).rglob("__init__.py")
    }
    assert packages | {"twindex"} == listed


def test_importing_loads_no_model_library_and_leaves_logging_alone():
    code = (
        "import sys, logging, twindex.search, twindex.eval, twindex.api.cli;"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'numba', 'faiss'};"
        "heavy &= set(sys.modules);"
        "assert not heavy, heavy;"
        "assert not logging.getLogger().handlers"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_files_are_short():
    for room in [*ROOMS, "tests", "benchmarks"]:
        for path in (HOUSE / room).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 400, path
