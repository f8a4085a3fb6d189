"""Finds the documents that meet a filter, in the tables of a collection's database.

The results are document numbers.
"""

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
from .columns import OWN_COLUMN, Column, Numbers, positions_of
from .date_bounds import earliest_text, latest_text
from .ranges import bounds_of

Masks = NDArray[np.bool_]

MASK_THRESHOLD = 8
"""A filter with at least this many broad parts (see `_is_broad`) is evaluated with masks."""
_SHARED = 2
"""If a field has at least this many conditions, all its values are read once."""
_PENDING = 1_000_000
"""Number of document numbers that an `or` condition collects before it removes duplicates."""

_SQL: dict[Operator, str] = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_Compared = Equal | Range | Prefix | Dated
"""Conditions that compare one value of a field."""

assert set(OWN_COLUMN) == OWN

_TABLES = """
CREATE TABLE documents (number INTEGER PRIMARY KEY, id TEXT);
CREATE TABLE contents (number INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE fields (key TEXT, kind INTEGER, value, number INTEGER);
CREATE INDEX fields_key ON fields (key, kind, value);
"""


def select_newer(connection: sqlite3.Connection, condition: Condition, after: int) -> Numbers:
    """Return the document numbers above `after` that meet `condition`, ascending.

    Reads every document with a number above `after`, so these should be few.
    """
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


def all_numbers(connection: sqlite3.Connection) -> Numbers:
    """Return the document numbers of the whole collection, ascending."""
    return _numbers(connection, "SELECT number FROM documents ORDER BY number", ())


def select(connection: sqlite3.Connection, condition: Condition) -> Numbers:
    """Return the numbers of the documents that meet `condition`, ascending."""
    broad = sum(_is_broad(part) for part in _parts(condition))
    selection = _Selection(connection)
    return (
        selection.numbers(condition)
        if broad < MASK_THRESHOLD
        else _MaskSelection(selection, condition).numbers()
    )


def has_field(connection: sqlite3.Connection, key: str, kind: int, among: Numbers) -> bool:
    """Return True if one of the documents `among` has a value of this kind in the field `key`.

    among: document numbers, ascending.
    """
    sql = "SELECT number FROM fields WHERE key = ? AND kind = ?"
    having = _numbers(connection, sql, (key, kind))
    return len(np.intersect1d(having, among, assume_unique=True)) > 0


def _parts(condition: Condition) -> Iterator[Condition]:
    """Yield `condition` itself and the conditions inside it, at every depth."""
    yield condition
    match condition:
        case And(parts) | Or(parts) | In(parts=parts):
            for part in parts:
                yield from _parts(part)
        case Not(part):
            yield from _parts(part)


def _is_broad(part: Condition) -> bool:
    """Return True if many documents may meet `part`, or if many must be read to evaluate it.

    An equality is not broad: of many equalities on one field, only a few can match many documents.
    But an equality on `title` is broad, because titles have no index. An empty `and`, `or` or `in`
    is broad too.
    """
    match part:
        case And(parts) | Or(parts) | In(parts=parts):
            return not parts
        case Equal(key):
            return key == "title"
    return True


class _Selection:
    """Evaluates one filter by index lookups. Equal conditions are looked up only once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._known: dict[Condition, Numbers] = {}

    @cached_property
    def all_numbers(self) -> Numbers:
        """Document numbers of the whole collection, ascending."""
        return all_numbers(self.connection)

    @cached_property
    def _connection_with_dates(self) -> sqlite3.Connection:
        """The connection, with an SQL function `instant` that parses dates."""
        self.connection.create_function("instant", 1, instant, deterministic=True)
        return self.connection

    def numbers(self, condition: Condition) -> Numbers:
        """Return the numbers of documents that meet `condition`, ascending."""
        match condition:
            case And(parts):
                result = self.numbers(parts[0]) if parts else self.all_numbers
                for part in parts[1:]:
                    result = np.intersect1d(result, self.numbers(part), assume_unique=True)
                return result
            case Or(parts) | In(parts=parts):
                return _union(self.numbers(part) for part in parts)
            case Not(part):
                return np.setdiff1d(self.all_numbers, self.numbers(part), assume_unique=True)
            case Exists("id"):
                return self.all_numbers
        found = self._known.get(condition)
        if found is None:
            connection = (
                self._connection_with_dates if isinstance(condition, Dated) else self.connection
            )
            found = _numbers(connection, *_statement(condition))
            self._known[condition] = found
        return found


class _MaskSelection:
    """Evaluates a filter with many conditions that each match many documents.

    It combines masks over all documents. A field with several conditions is read only once. The
    evaluation takes the time to read these fields and to mark the documents of each condition.
    """

    def __init__(self, selection: _Selection, condition: Condition) -> None:
        self._selection = selection
        self._condition = condition
        self._columns: dict[tuple[str, int, bool], Column] = {}
        leaves = {part for part in _parts(condition) if isinstance(part, _Compared)}
        # A single value is fast to look up, except for titles, which have no index.
        self._shared = Counter(
            _column(leaf) for leaf in leaves if not isinstance(leaf, Equal) or leaf.key == "title"
        )

    def numbers(self) -> Numbers:
        """Return the numbers of documents that meet the filter, ascending."""
        return self._selection.all_numbers[self._mask(self._condition)]

    def _mask(self, condition: Condition) -> Masks:
        """Return the mask of the documents that meet `condition`, in a new array."""
        count = len(self._selection.all_numbers)
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
        """Set `mask` to true for the documents that meet `condition`."""
        match condition:
            case Or(parts) | In(parts=parts):
                for part in parts:
                    self._mark(mask, part)
            case And() | Not():
                mask |= self._mask(condition)
            case Equal() | Range() | Prefix() | Dated() if self._is_shared(condition):
                mask[self._column(condition).positions(condition)] = True
            case _:
                found = self._selection.numbers(condition)
                mask[positions_of(found, self._selection.all_numbers)[0]] = True

    def _is_shared(self, condition: _Compared) -> bool:
        return self._shared[_column(condition)] >= _SHARED

    def _column(self, condition: _Compared) -> Column:
        key = _column(condition)
        column = self._columns.get(key)
        if column is None:
            name, kind, dates = key
            selection = self._selection
            column = Column(selection.connection, name, kind, selection.all_numbers, dates=dates)
            self._columns[key] = column
        return column


def _column(condition: _Compared) -> tuple[str, int, bool]:
    return condition.key, condition.kind, isinstance(condition, Dated)


def _union(found: Iterable[Numbers]) -> Numbers:
    """Return the document numbers that are in at least one array of `found`, ascending."""
    pending: list[Numbers] = [np.empty(0, dtype=np.int64)]
    for numbers in found:
        pending.append(numbers)
        if sum(map(len, pending[1:])) > max(_PENDING, len(pending[0])):
            pending = [sorted_unique(np.concatenate(pending))]
    return sorted_unique(np.concatenate(pending))


def _statement(condition: _Compared | Exists) -> tuple[str, tuple[Scalar, ...]]:
    """Return an SQL query for the documents that meet `condition`, and its parameters.

    The query selects document numbers, possibly with duplicates.
    """
    if isinstance(condition, Exists):
        # A nested object exists if any field below it exists.
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
    """Return the SQL text of `condition`, and its parameters.

    The text contains {v} where the caller must insert the SQL expression of the tested value.
    """
    tests: list[str] = []
    values: list[Scalar] = []
    if isinstance(condition, Dated):
        # Bounds on the text avoid parsing texts that cannot match.
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
    """Return the distinct document numbers that an SQL query selects, ascending.

    sql:    the query.
    values: its parameters.
    """
    try:
        # One text with all numbers is several times faster than one row per number.
        (text,) = connection.execute(
            f"SELECT group_concat(CAST(number AS INTEGER)) FROM ({sql})", values
        ).fetchone()
        found = np.fromstring(text, dtype=np.int64, sep=",") if text else np.empty(0, np.int64)
    except sqlite3.DataError:  # The text would exceed the limit of SQLite.
        rows = connection.execute(sql, values)
        found = np.fromiter((row[0] for row in rows), dtype=np.int64)
    return sorted_unique(found)


def sorted_unique(numbers: Numbers) -> Numbers:
    """Return the distinct numbers, ascending. Much faster than `np.unique`, which hashes."""
    numbers = np.sort(numbers)
    first = np.ones(len(numbers), dtype=np.bool_)
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return numbers[first]
