"""Warnings for fields in a filter that no document has, or whose values are of another kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Set

from ....core.filters import BOOLEAN, NUMBER, OWN, STRING, Condition
from ....core.filters.conditions import kinds, tested
from ....core.near import did_you_mean

_KNOWN = 1_000
"""Maximum number of known field names that are compared with an unknown name."""
_NAMED = 10
"""Maximum number of fields with warnings. The search for similar names takes time."""
_KINDS = {NUMBER: "a number", STRING: "a string", BOOLEAN: "a boolean"}


def unknown_fields(connection: sqlite3.Connection, condition: Condition) -> list[str]:
    """Return a warning for each field in `condition` that no document has.

    Also returns a warning for each field whose values all have another kind (number, string or
    boolean) than the value in the condition. Each of the two sorts of warnings names at most
    `_NAMED` fields.
    """
    unknown = [key for key in sorted(tested(condition) - OWN) if not _exists(connection, key)]
    known = [*_keys(connection), *sorted(OWN)] if unknown else []
    warnings = [
        f"filter: no document has a field {key!r}{did_you_mean(key, known)}"
        for key in unknown[:_NAMED]
    ]
    if (rest := len(unknown) - _NAMED) > 0:
        warnings.append(f"filter: no document has {rest:,} other fields of this filter")
    return warnings + _other_kinds(connection, condition, OWN.union(unknown))


def _other_kinds(
    connection: sqlite3.Connection, condition: Condition, left_out: Set[str]
) -> list[str]:
    """Return a warning for each field whose values all have another kind than in `condition`.

    left_out: fields for which no warning is returned.
    """
    tests = sorted((key, kind) for key, kind in kinds(condition) if key not in left_out)
    warnings = []
    for key, kind in tests:
        found = {own for own in _KINDS if _exists_as(connection, key, own)}
        if found and kind not in found:
            has = " and ".join(_KINDS[own] for own in sorted(found))
            warning = f"filter: {key!r} is compared with {_KINDS[kind]}, but documents store {has}"
            if found == {STRING} and kind == NUMBER:
                warning += "; to store numbers, import the field with --numeric-fields"
            warnings.append(warning)
    return warnings[:_NAMED]


def _exists_as(connection: sqlite3.Connection, key: str, kind: int) -> bool:
    sql = "SELECT EXISTS (SELECT 1 FROM fields WHERE key = ? AND kind = ?)"
    return bool(connection.execute(sql, (key, kind)).fetchone()[0])


def _exists(connection: sqlite3.Connection, key: str) -> bool:
    (found,) = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM fields WHERE key = ?) "
        "OR EXISTS (SELECT 1 FROM fields WHERE key >= ? AND key < ?)",
        (key, f"{key}.", f"{key}/"),
    ).fetchone()
    return bool(found)


def _keys(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the metadata fields of all documents, at most `_KNOWN` names.

    The query does one index lookup for each name.
    """
    rows = connection.execute(
        "WITH RECURSIVE known (key) AS (SELECT min(key) FROM fields UNION ALL "
        "SELECT (SELECT min(key) FROM fields WHERE key > known.key) FROM known "
        "WHERE known.key IS NOT NULL LIMIT ?) SELECT key FROM known WHERE key IS NOT NULL",
        (_KNOWN,),
    )
    return [row[0] for row in rows]
