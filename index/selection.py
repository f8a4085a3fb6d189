"""Finds the documents that meet a filter, in the tables of a collection."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .filters import (
    OWN,
    STRING,
    And,
    Condition,
    Dated,
    Equal,
    Exists,
    Not,
    Or,
    Range,
    Scalar,
    flatten,
    parse,
    tested,
)
from .instants import earliest_text, instant, latest_text

Numbers = NDArray[np.int64]

_PENDING = 1_000_000
"""Numbers that an `or` collects before it drops those that it has twice."""
_KNOWN = 1_000
"""Names of fields that are looked through for one like an unknown one."""

_OWN_COLUMN = {"id": ("documents", "id"), "title": ("contents", "title")}
assert set(_OWN_COLUMN) == OWN

_TABLES = """
CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT);
CREATE TABLE contents (number INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE fields (key TEXT, kind INTEGER, value, number INTEGER);
CREATE INDEX fields_key ON fields (key, kind, value);
"""


def select(connection: sqlite3.Connection, condition: Mapping[str, Any] | Condition) -> Numbers:
    """Numbers of the documents that meet `condition`, ascending.

    Raises InvalidInputError that names the wrong part of the condition.
    """
    parsed = parse(condition) if isinstance(condition, Mapping) else condition
    return _Selection(connection).numbers(parsed)


def select_newer(connection: sqlite3.Connection, condition: Condition, after: int) -> Numbers:
    """The same among documents with numbers above `after`, which should be few: its cost depends
    on these only."""
    with closing(sqlite3.connect(":memory:")) as copy:
        copy.executescript(_TABLES)
        for number, name, title, metadata in connection.execute(
            "SELECT number, id, title, metadata FROM documents JOIN contents USING (number) "
            "WHERE number > ?",
            (after,),
        ):
            copy.execute("INSERT INTO documents VALUES (?, ?)", (number, name))
            copy.execute("INSERT INTO contents VALUES (?, ?)", (number, title))
            copy.executemany(
                "INSERT INTO fields VALUES (?, ?, ?, ?)",
                ((key, kind, value, number) for key, kind, value in flatten(json.loads(metadata))),
            )
        return _Selection(copy).numbers(condition)


def everything(connection: sqlite3.Connection) -> Numbers:
    """Numbers of all documents, ascending."""
    return _numbers(connection, "SELECT number FROM documents ORDER BY number", ())


def unknown_fields(connection: sqlite3.Connection, condition: Condition) -> list[str]:
    """A warning for each field of a condition that no document has."""
    warnings = []
    for key in sorted(tested(condition) - OWN):
        found = connection.execute(
            "SELECT EXISTS (SELECT 1 FROM fields WHERE key = ?) "
            "OR EXISTS (SELECT 1 FROM fields WHERE key >= ? AND key < ?)",
            (key, f"{key}.", f"{key}/"),
        ).fetchone()[0]
        if not found:
            near = get_close_matches(key, [*_keys(connection), *sorted(OWN)], 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            warnings.append(f"filter: no document has a field {key!r}{hint}")
    return warnings


def _keys(connection: sqlite3.Connection) -> list[str]:
    """Names of fields, each found by one look into the table's order."""
    rows = connection.execute(
        "WITH RECURSIVE known (key) AS (SELECT min(key) FROM fields UNION ALL "
        "SELECT (SELECT min(key) FROM fields WHERE key > known.key) FROM known "
        "WHERE known.key IS NOT NULL LIMIT ?) SELECT key FROM known WHERE key IS NOT NULL",
        (_KNOWN,),
    )
    return [row[0] for row in rows]


class _Selection:
    """Finds the numbers for one filter; those of all documents are read at most once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @cached_property
    def _whole(self) -> Numbers:
        return everything(self._connection)

    @cached_property
    def _dated(self) -> sqlite3.Connection:
        """The connection, which now knows dates."""
        self._connection.create_function("instant", 1, instant, deterministic=True)
        return self._connection

    def numbers(self, condition: Condition) -> Numbers:
        """Ascending."""
        match condition:
            case And(parts):
                result = self.numbers(parts[0]) if parts else self._whole
                for part in parts[1:]:
                    result = np.intersect1d(result, self.numbers(part), assume_unique=True)
                return result
            case Or(parts):
                return _union(self.numbers(part) for part in parts)
            case Not(part):
                return np.setdiff1d(self._whole, self.numbers(part), assume_unique=True)
            case Exists("id"):
                return self._whole
        connection = self._dated if isinstance(condition, Dated) else self._connection
        return np.unique(_numbers(connection, *_statement(condition)))


def _union(found: Iterable[Numbers]) -> Numbers:
    """What is in any; of many large ones only a few are held at a time."""
    pending: list[Numbers] = [np.empty(0, dtype=np.int64)]
    for numbers in found:
        pending.append(numbers)
        if sum(map(len, pending[1:])) > max(_PENDING, len(pending[0])):
            pending = [np.unique(np.concatenate(pending))]
    return np.unique(np.concatenate(pending))


def _statement(condition: Equal | Range | Exists | Dated) -> tuple[str, tuple[Scalar, ...]]:
    """SQL that gives numbers, some perhaps more than once, and its values."""
    if isinstance(condition, Exists):
        # A nested object exists when anything below it does.
        key = condition.key
        sql, values = "key = ? OR (key >= ? AND key < ?)", (key, f"{key}.", f"{key}/")
        own = "{v} <> ''"
        parts: list[tuple[str, tuple[Scalar, ...]]]
        parts = [(f"SELECT number FROM fields WHERE {sql}", values)]
        own_values: tuple[Scalar, ...] = ()
        kind = STRING
    else:
        key, kind = condition.key, condition.kind
        own, own_values = _tests(condition)
        sql = f"SELECT number FROM fields WHERE key = ? AND kind = ? AND {own.format(v='value')}"
        parts = [(sql, (key, kind, *own_values))]
    if key in _OWN_COLUMN and kind == STRING:
        table, column = _OWN_COLUMN[key]
        parts.append((f"SELECT number FROM {table} WHERE {own.format(v=column)}", own_values))
    return " UNION ALL ".join(sql for sql, _ in parts), tuple(
        value for _, values in parts for value in values
    )


def _tests(condition: Equal | Range | Dated) -> tuple[str, tuple[Scalar, ...]]:
    """SQL on the value, which it calls {v}."""
    match condition:
        case Equal(_, _, value):
            return "{v} = ?", (value,)
        case Range(_, _, bounds):
            return " AND ".join(f"{{v}} {op} ?" for op, _ in bounds), tuple(v for _, v in bounds)
        case Dated(_, bounds):
            tests: list[str] = []
            values: list[Scalar] = []
            # Texts that are far off need not be read as dates.
            for op, wanted in bounds:
                if op in (">", ">=", "=") and (early := earliest_text(wanted)) is not None:
                    tests.append("{v} >= ?")
                    values.append(early)
                if op in ("<", "<=", "=") and (late := latest_text(wanted)) is not None:
                    tests.append("{v} < ?")
                    values.append(late)
            for op, wanted in bounds:
                tests.append(f"instant({{v}}) {op} ?")
                values.append(wanted)
            return " AND ".join(tests), tuple(values)


def _numbers(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Numbers:
    return np.fromiter((row[0] for row in connection.execute(sql, values)), dtype=np.int64)
