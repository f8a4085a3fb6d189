"""Benchmarks use names of the package that exist: nothing else runs most of them."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from ..house import HOUSE

FILES = sorted((HOUSE / "benchmarks").rglob("*.py"))


def imported(path: Path) -> list[tuple[str, str]]:
    """Module and name of everything that a file imports from the package."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("twindex")
        for alias in node.names
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_imported_names_exist(path):
    for module, name in imported(path):
        found = hasattr(import_module(module), name) or find_spec(f"{module}.{name}")
        assert found, f"{module} has no {name}"
