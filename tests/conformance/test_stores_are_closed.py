"""Only the room `index` uses the internals of a store. Rooms above it use views and handles."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ..house import HOUSE, ROOMS

ABOVE = ROOMS[ROOMS.index("index") + 1 :]
INSIDE = {"connection", "live_passages", "masks", "parts", "rows", "segments", "snapshot"}
"""Internal attributes of the local store, its views, snapshots and parts."""
KEPT = {
    "api": {"jobs", "upload", "database.database"},
    "search": {"manifest", "database.succession", "database.updates", "folder"},
}
"""Room -> modules of the local store for what the room keeps in a collection's database or folder:
REST its jobs, sync its record of files, re-embedding its successor."""
SQL = re.compile(r"\b(SELECT\b.+\bFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b", re.S)


def accesses(source: str) -> set[str]:
    """Return the internal attributes that a module accesses, and "SQL" if it contains SQL.

    The method `snapshot` of a collection, and an argument of this name, have no attributes.
    """
    found = set()
    nodes = list(ast.walk(ast.parse(source)))
    bases = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    for node in nodes:
        if isinstance(node, ast.Attribute) and node.attr in INSIDE:
            if node.attr != "snapshot" or id(node) in bases:
                found.add(node.attr)
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and SQL.search(node.value)
        ):
            found.add("SQL")
    return found


def imports(source: str) -> set[str]:
    """Return the modules below `index.store` that a module imports."""
    return {
        (node.module or "").partition("index.store")[2].lstrip(".")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and "index.store" in (node.module or "")
    }


def files(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (HOUSE / room).rglob("*.py"))


@pytest.mark.parametrize("room", ABOVE)
def test_rooms_above_do_not_use_the_internals_of_a_store(room):
    assert {path: found for path in files(room) if (found := accesses(path.read_text()))} == {}


def test_only_jobs_and_the_record_of_sync_are_imported_from_the_local_store():
    for path in files(*ABOVE):
        room = path.relative_to(HOUSE).parts[0]
        assert imports(path.read_text()) <= KEPT.get(room, set()), path


def test_searching_does_not_name_the_local_store():
    """Only code that creates, maintains or moves a local collection may name it."""
    for path in [*files("search/finding", "search/encoding"), HOUSE / "search" / "info.py"]:
        assert "LocalStore" not in path.read_text(), path


def test_the_checks_find_violations():
    assert accesses("view.snapshot.parts[0]\nreader.masks(None)") == {"snapshot", "parts", "masks"}
    assert accesses("execute('SELECT id\\n FROM documents')") == {"SQL"}
    assert accesses("'''Select a leg, e.g. from the form.'''") == set()
    assert imports("from ..index.store.snapshot import Part") == {"snapshot"}
