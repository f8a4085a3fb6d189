"""Sub-packages import only from lower ones, and importing them has no side effects."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from ..house import HOUSE, ROOMS

MAX_SIBLINGS = 20
"""Maximum number of files and folders in a folder."""


Statement = ast.Import | ast.ImportFrom


@cache
def statements(path: Path) -> list[Statement]:
    """Return the import statements of a file, including those in functions and for types."""
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Statement)]


@cache
def modules() -> dict[str, Path]:
    """Return module name -> file for every module of the project."""
    return {
        ".".join(path.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__init__"): path
        for room in ROOMS
        for path in (HOUSE / room).rglob("*.py")
    }


def imported_modules(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return the modules that a module imports."""
    parts = name.split(".")
    package = parts if path.name == "__init__.py" else parts[:-1]
    found = set()
    for node in statements(path):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) - (node.level - 1)]
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                found.add(inner if inner in known else source)
    return (found & set(known)) - {name}


def cycles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """Return groups of names that import each other: the strongly connected components."""
    reached: dict[str, set[str]] = {}
    for name in imports:
        seen, stack = set(), [name]
        while stack:
            for one in imports.get(stack.pop(), ()):
                if one not in seen:
                    seen.add(one)
                    stack.append(one)
        reached[name] = seen
    groups = {
        frozenset({a, *(b for b in seen if a in reached.get(b, ()))}) for a, seen in reached.items()
    }
    return sorted(sorted(group) for group in groups if len(group) > 1)


def imported_rooms(path: Path) -> set[str]:
    """Return the sub-packages from which a file imports relatively."""
    depth = len(path.relative_to(HOUSE).parts)
    found = set()
    for node in statements(path):
        if isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("twindex"), f"{path}: import relatively"
            if node.level == depth:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                found.update(name.split(".")[0] for name in names)
        else:
            assert not any(alias.name.startswith("twindex") for alias in node.names), path
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_from_lower_rooms(room):
    allowed = {*ROOMS[: ROOMS.index(room) + 1]}
    for path in sorted((HOUSE / room).rglob("*.py")):
        # From the root package, only the version may be imported.
        assert imported_rooms(path) - {"__version__"} <= allowed, path


def test_modules_have_no_import_cycles():
    known = modules()
    imports = {name: imported_modules(name, path, known) for name, path in known.items()}
    assert cycles(imports) == []
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_sibling_folders_have_no_import_cycles():
    known = modules()
    beside: dict[str, set[str]] = {}
    for name, path in known.items():
        for other in imported_modules(name, path, known):
            one = [*path.parent.relative_to(HOUSE).parts]
            two = [*known[other].parent.relative_to(HOUSE).parts]
            while one and two and one[0] == two[0]:
                one, two = one[1:], two[1:]
            if one and two:  # Neither folder is inside the other.
                common = known[other].parent.relative_to(HOUSE).parts[: -len(two)]
                first, second = ".".join([*common, one[0]]), ".".join([*common, two[0]])
                beside.setdefault(first, set()).add(second)
    assert cycles(beside) == []


def test_folders_have_few_entries():
    for folder in {path.parent for path in HOUSE.rglob("*.py")}:
        inside = folder.relative_to(HOUSE).parts
        if inside and inside[0] in {*ROOMS, "tests", "benchmarks"}:
            entries = [p for p in folder.iterdir() if not p.name.startswith(("_", "."))]
            assert len(entries) <= MAX_SIBLINGS, folder


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
        "import sys, logging, twindex.search, twindex.eval, twindex.api.cli.main;"
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
