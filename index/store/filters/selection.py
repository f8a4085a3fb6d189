"""Finds the documents that meet a filter, in the tables of a collection."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.filters import (
    OWN,
    STRING,
    And,
    Condition,
    Dated,
    Equal,
    Exists,
    In,
    Not,
    Operator,
    Or,
    Prefix,
    Range,
    Scalar,
    flatten,
)
from ....core.filters.dates import instant
from .columns import OWN_COLUMN, Column, Numbers, places_of
from .date_bounds import earliest_text, latest_text
from .ranges import bounds_of

Masks = NDArray[np.bool_]

MANY = 8
"""Parts of a filter that many documents may meet, from which it is evaluated with masks."""
_SHARED = 2
"""Conditions on a field from which all its values are read once."""
_PENDING = 1_000_000
"""Numbers that an `or` collects before it drops those that it has twice."""

_SQL: dict[Operator, str] = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_Compared = Equal | Range | Prefix | Dated
"""Conditions on one value of a field."""

assert set(OWN_COLUMN) == OWN

_TABLES = """
CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT);
CREATE TABLE contents (number INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE fields (key TEXT, kind INTEGER, value, number INTEGER);
CREATE INDEX fields_key ON fields (key, kind, value);
"""


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
        return select(copy, condition)


def everything(connection: sqlite3.Connection) -> Numbers:
    """Numbers of all documents, ascending."""
    return _numbers(connection, "SELECT number FROM documents ORDER BY number", ())


def select(connection: sqlite3.Connection, condition: Condition) -> Numbers:
    """Numbers of the documents that meet `condition`, ascending."""
    broad = sum(_is_broad(part) for part in _parts(condition))
    selection = _Selection(connection)
    return selection.numbers(condition) if broad < MANY else _Broad(selection, condition).numbers()


def _parts(condition: Condition) -> Iterator[Condition]:
    """The condition and all that it is made of."""
    yield condition
    match condition:
        case And(parts) | Or(parts) | In(parts=parts):
            for part in parts:
                yield from _parts(part)
        case Not(part):
            yield from _parts(part)


def _is_broad(part: Condition) -> bool:
    """Whether many documents may meet it, or it takes a look at many.

    Different values of one key cannot each be those of many documents, and `id` has an index.
    """
    match part:
        case And(parts) | Or(parts) | In(parts=parts):
            return not parts
        case Equal(key):
            return key == "title"
    return True


class _Selection:
    """Finds the numbers for one filter; equal conditions, and all documents, are read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._known: dict[Condition, Numbers] = {}

    @cached_property
    def whole(self) -> Numbers:
        return everything(self.connection)

    @cached_property
    def _dated(self) -> sqlite3.Connection:
        """The connection, which now knows dates."""
        self.connection.create_function("instant", 1, instant, deterministic=True)
        return self.connection

    def numbers(self, condition: Condition) -> Numbers:
        """Ascending."""
        match condition:
            case And(parts):
                result = self.numbers(parts[0]) if parts else self.whole
                for part in parts[1:]:
                    result = np.intersect1d(result, self.numbers(part), assume_unique=True)
                return result
            case Or(parts) | In(parts=parts):
                return _union(self.numbers(part) for part in parts)
            case Not(part):
                return np.setdiff1d(self.whole, self.numbers(part), assume_unique=True)
            case Exists("id"):
                return self.whole
        found = self._known.get(condition)
        if found is None:
            connection = self._dated if isinstance(condition, Dated) else self.connection
            found = _numbers(connection, *_statement(condition))
            self._known[condition] = found
        return found


class _Broad:
    """Evaluates a filter of many overlapping conditions: a bit for each document, and the values of
    a field that has several conditions are read once. The time is that of reading these fields, and
    of marking what each condition selects."""

    def __init__(self, selection: _Selection, condition: Condition) -> None:
        self._selection = selection
        self._condition = condition
        self._columns: dict[tuple[str, int, bool], Column] = {}
        leaves = {part for part in _parts(condition) if isinstance(part, _Compared)}
        # A value of a key is looked up as quickly by itself, but for titles, which have no index.
        self._shared = Counter(
            _column(leaf) for leaf in leaves if not isinstance(leaf, Equal) or leaf.key == "title"
        )

    def numbers(self) -> Numbers:
        """Ascending."""
        return self._selection.whole[self._mask(self._condition)]

    def _mask(self, condition: Condition) -> Masks:
        """A new mask, which the caller may change."""
        count = len(self._selection.whole)
        match condition:
            case And(parts):
                mask = np.ones(count, dtype=np.bool_)
                for part in parts:
                    mask &= self._mask(part)
            case Not(part):
                mask = self._mask(part)
                np.logical_not(mask, out=mask)
            case _:
                mask = np.zeros(count, dtype=np.bool_)
                self._mark(mask, condition)
        return mask

    def _mark(self, mask: Masks, condition: Condition) -> None:
        """Set what the condition selects."""
        match condition:
            case Or(parts) | In(parts=parts):
                for part in parts:
                    self._mark(mask, part)
            case And() | Not():
                mask |= self._mask(condition)
            case Equal() | Range() | Prefix() | Dated() if self._is_shared(condition):
                mask[self._column(condition).places(condition)] = True
            case _:
                found = self._selection.numbers(condition)
                mask[places_of(found, self._selection.whole)[0]] = True

    def _is_shared(self, condition: _Compared) -> bool:
        return self._shared[_column(condition)] >= _SHARED

    def _column(self, condition: _Compared) -> Column:
        key = _column(condition)
        column = self._columns.get(key)
        if column is None:
            name, kind, dates = key
            selection = self._selection
            column = Column(selection.connection, name, kind, selection.whole, dates=dates)
            self._columns[key] = column
        return column


def _column(condition: _Compared) -> tuple[str, int, bool]:
    return condition.key, condition.kind, isinstance(condition, Dated)


def _union(found: Iterable[Numbers]) -> Numbers:
    """What is in any; of many large ones only a few are held at a time."""
    pending: list[Numbers] = [np.empty(0, dtype=np.int64)]
    for numbers in found:
        pending.append(numbers)
        if sum(map(len, pending[1:])) > max(_PENDING, len(pending[0])):
            pending = [_distinct(np.concatenate(pending))]
    return _distinct(np.concatenate(pending))


def _statement(condition: _Compared | Exists) -> tuple[str, tuple[Scalar, ...]]:
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
    if key in OWN_COLUMN and kind == STRING:
        table, column = OWN_COLUMN[key]
        parts.append((f"SELECT number FROM {table} WHERE {own.format(v=column)}", own_values))
    return " UNION ALL ".join(sql for sql, _ in parts), tuple(
        value for _, values in parts for value in values
    )


def _tests(condition: _Compared) -> tuple[str, tuple[Scalar, ...]]:
    """SQL on the value, which it calls {v}."""
    tests: list[str] = []
    values: list[Scalar] = []
    if isinstance(condition, Dated):
        # Texts that are far off need not be read as dates.
        for operator, wanted in condition.bounds:
            if operator in ("gt", "gte", "eq") and (early := earliest_text(wanted)) is not None:
                tests.append("{v} >= ?")
                values.append(early)
            if operator in ("lt", "lte", "eq") and (late := latest_text(wanted)) is not None:
                tests.append("{v} < ?")
                values.append(late)
    value = "instant({v})" if isinstance(condition, Dated) else "{v}"
    for operator, bound in bounds_of(condition):
        tests.append(f"{value} {_SQL[operator]} ?")
        values.append(bound)
    return " AND ".join(tests), tuple(values)


def _numbers(connection: sqlite3.Connection, sql: str, values: Sequence[Any]) -> Numbers:
    """The numbers that a statement gives, ascending, each once."""
    try:
        # One text of all numbers is read several times as fast as a row for each.
        (text,) = connection.execute(
            f"SELECT group_concat(CAST(number AS INTEGER)) FROM ({sql})", values
        ).fetchone()
        found = np.fromstring(text, dtype=np.int64, sep=",") if text else np.empty(0, np.int64)
    except sqlite3.DataError:  # It would be longer than SQLite allows.
        rows = connection.execute(sql, values)
        found = np.fromiter((row[0] for row in rows), dtype=np.int64)
    return _distinct(found)


def _distinct(numbers: Numbers) -> Numbers:
    """Ascending, each once. `np.unique` hashes, which takes far longer."""
    numbers = np.sort(numbers)
    first = np.ones(len(numbers), dtype=np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return numbers[first]
