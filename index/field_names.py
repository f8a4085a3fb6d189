"""Fields that a filter names and no document has."""

from __future__ import annotations

import sqlite3
from difflib import get_close_matches

from .filters import OWN, Condition, tested

_KNOWN = 1_000
"""Names of fields that are looked through for one like an unknown one."""
_NAMED = 10
"""Unknown fields of a filter that are named; looking for one that is like it takes time."""


def unknown_fields(connection: sqlite3.Connection, condition: Condition) -> list[str]:
    """A warning for each field of a condition that no document has; of many, for the first few."""
    unknown = [key for key in sorted(tested(condition) - OWN) if not _exists(connection, key)]
    known = [*_keys(connection), *sorted(OWN)] if unknown else []
    warnings = []
    for key in unknown[:_NAMED]:
        near = get_close_matches(key, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        warnings.append(f"filter: no document has a field {key!r}{hint}")
    if (rest := len(unknown) - _NAMED) > 0:
        warnings.append(f"filter: no document has {rest:,} more of its fields")
    return warnings


def _exists(connection: sqlite3.Connection, key: str) -> bool:
    (found,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM fields WHERE key = ?) "
        "OR EXISTS (SELECT 1 FROM fields WHERE key >= ? AND key < ?)",
        (key, f"{key}.", f"{key}/"),
    ).fetchone()
    return bool(found)


def _keys(connection: sqlite3.Connection) -> list[str]:
    """Names of fields, each found by one look into the table's order."""
    rows = connection.execute(
        "WITH RECURSIVE known (key) AS (SELECT min(key) FROM fields UNION ALL "
        "SELECT (SELECT min(key) FROM fields WHERE key > known.key) FROM known "
        "WHERE known.key IS NOT NULL LIMIT ?) SELECT key FROM known WHERE key IS NOT NULL",
        (_KNOWN,),
    )
    return [row[0] for row in rows]
