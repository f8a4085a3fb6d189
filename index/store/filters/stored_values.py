"""The values that documents have in a metadata field, read from the database and kept in memory.

A document that is written again has a new number, so a column that was read once stays right, and
only documents written since are read. Only a change of metadata keeps the number of a document. So
columns that were read before the latest change of metadata are not used.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.filters import BOOLEAN, NUMBER, OWN, STRING, flatten
from ....core.trace import checkpoint
from ...field_values import FieldValues, Value, Values
from ..database.updates import last_update
from .columns import OWN_COLUMN, Numbers
from .selection import sorted_unique
from .stored_names import StoredNames
from .stored_words import StoredWords

_CHUNK = 500
_DIRECT = 5_000
"""Ids and titles of at most this many documents are read without a column."""
_NEWER = 2_000
"""A column is extended if at most this many documents are new; otherwise it is read again."""
_CHECKED = 20_000
"""Number of rows between two checks of the time limit of a search."""


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """All values of a field, in the order of document numbers.

    starts:  int32 or int64 [through + 2]; the values of document n are `starts[n]` to
             `starts[n + 1]` (exclusive) of `codes`.
    codes:   int32 [m], for each value its index in `values`, ascending in each document.
    values:  distinct values, ascending. Documents may have been deleted since.
    through: highest document number of the collection when the column was read.
    generation: generation of the collection at that time.
    """

    starts: NDArray[Any]
    codes: NDArray[np.int32]
    values: Values
    through: int
    generation: int

    def of(self, documents: Numbers) -> FieldValues:
        """Return the values of these documents. documents: int64 [n], in any order."""
        begin = self.starts[documents].astype(np.int64)
        counts = self.starts[documents + 1] - begin
        if counts.max(initial=0) <= 1:
            positions = np.flatnonzero(counts)
            codes = self.codes[begin[positions]]
        else:
            positions = np.repeat(np.arange(len(documents)), counts)
            skipped = np.repeat(begin - (np.cumsum(counts) - counts), counts)
            codes = self.codes[np.arange(len(positions)) + skipped]
        if len(codes) * 4 < len(self.values):
            used = sorted_unique(codes.astype(np.int64))
            among = np.searchsorted(used, codes)
        else:
            mask = np.zeros(len(self.values), dtype=np.bool_)
            mask[codes] = True
            used = np.flatnonzero(mask)
            among = (np.cumsum(mask) - 1)[codes]
        return FieldValues(positions, among, self.values.chosen(used))

    def extended(
        self, pairs: Iterable[tuple[int, Value]], through: int, generation: int
    ) -> StoredColumn:
        """Return the column with the values of further documents, whose numbers are higher."""
        new = FieldValues.of(pairs)
        if not new.values:
            last = np.full(through - self.through, len(self.codes), dtype=self.starts.dtype)
            starts = np.concatenate([self.starts, last]) if len(last) else self.starts
            return replace(self, starts=starts, through=through, generation=generation)
        values = sorted({*self.values, *new.values})
        place = {value: code for code, value in enumerate(values)}
        codes = self.codes
        if len(values) > len(self.values):
            codes = _coded(self.values, place)[codes]
        added = _starts(new.positions, through, self.through + 1) + len(codes)
        return StoredColumn(
            np.concatenate([self.starts[:-1], added]),
            np.concatenate([codes, _coded(new.values, place)[new.codes]]),
            Values(values) if len(values) > len(self.values) else self.values,
            through,
            generation,
        )


def _coded(values: Sequence[Value], place: Mapping[Value, int]) -> NDArray[np.int32]:
    return np.array([place[value] for value in values], dtype=np.int32)


def _starts(numbers: Numbers, through: int, first: int = 0) -> NDArray[Any]:
    """Return the starts of the values of documents `first` to `through`, and the end of the last.

    numbers: int64 [m], the document of each value, ascending.
    """
    starts = np.searchsorted(numbers, np.arange(first, through + 2))
    return starts.astype(np.int32) if len(numbers) < 2**30 else starts


class StoredColumns:
    """The columns that searches have read most recently, and ids. Thread-safe.

    names: ids of documents.
    most:  maximum number of values of all columns together. The column of the latest search is kept
           in any case.
    """

    def __init__(self, most: int = 20_000_000) -> None:
        self.words = StoredWords()
        """The words of titles and texts, which completions read."""
        self.names = StoredNames()
        self._most = most
        self._lock = Lock()
        self._reading: dict[str, Lock] = {}
        self._columns: OrderedDict[str, tuple[StoredColumn, ...]] = OrderedDict()

    def values(
        self, connection: sqlite3.Connection, generation: int, key: str, documents: Numbers
    ) -> FieldValues:
        """Return the values of a field in these documents.

        connection: a read transaction that sees the collection at `generation`.
        documents:  int64 [n], numbers of documents of this generation, in any order.
        """
        if key in OWN and len(documents) <= _DIRECT:
            return _own_values(connection, key, documents)
        return self._column(connection, generation, key).of(documents)

    def _column(self, connection: sqlite3.Connection, generation: int, key: str) -> StoredColumn:
        """Return a column with the values of all documents of this generation."""
        with self._lock:
            reading = self._reading.setdefault(key, Lock())
        since = last_update(connection)
        with reading:  # Two searches that begin at once read a column only once.
            known = self._usable(key, since, generation)
            if known is not None and known.generation == generation:
                return known
            (through,) = connection.execute("SELECT max(number) FROM documents").fetchone()
            column = self._read(connection, generation, key, through or 0, known)
            with self._lock:
                self._keep(key, column)
        return column

    def _usable(self, key: str, since: int, generation: int) -> StoredColumn | None:
        """Return the latest column of a field that was read from `since` to `generation`.

        since: generation of the latest change of metadata. Earlier columns have the old values.

        A column later than `generation` lacks documents that were deleted between the two.
        """
        with self._lock:
            if key in self._columns:
                self._columns.move_to_end(key)
            columns = self._columns.get(key, ())
            kept = [one for one in columns if since <= one.generation <= generation]
        return max(kept, key=lambda one: one.generation, default=None)

    def _read(
        self,
        connection: sqlite3.Connection,
        generation: int,
        key: str,
        through: int,
        known: StoredColumn | None,
    ) -> StoredColumn:
        if known is not None:
            newer = "SELECT count(*) FROM documents WHERE number > ?"
            (count,) = connection.execute(newer, (known.through,)).fetchone()
            if count <= _NEWER:
                pairs = _newer_values(connection, key, known.through)
                return known.extended(pairs, max(through, known.through), generation)
        return _whole_column(connection, key, through, generation)

    def _keep(self, key: str, column: StoredColumn) -> None:
        """Keep the two latest columns of the field: a slower search may need the earlier one."""
        kept = (*self._columns.get(key, ()), column)
        self._columns[key] = tuple(sorted(kept, key=lambda one: one.generation))[-2:]
        self._columns.move_to_end(key)
        sizes = {
            name: sum(len(one.codes) + len(one.values) for one in columns)
            for name, columns in self._columns.items()
        }
        while len(self._columns) > 1 and sum(sizes.values()) > self._most:
            name, _ = self._columns.popitem(last=False)
            self._reading.pop(name, None)
            del sizes[name]


def _whole_column(
    connection: sqlite3.Connection, key: str, through: int, generation: int
) -> StoredColumn:
    numbers: list[Numbers] = [np.empty(0, dtype=np.int64)]
    values: list[Value] = []
    for row, (value, found) in enumerate(_sorted_rows(connection, key)):
        if row % _CHECKED == 0:
            checkpoint()
        values.append(value)
        numbers.append(found)
    coded = np.repeat(np.arange(len(values), dtype=np.int32), [len(one) for one in numbers[1:]])
    every = np.concatenate(numbers)
    order = np.argsort(every, kind="stable")  # The codes are ascending, and stay so.
    return StoredColumn(
        _starts(every[order], through), coded[order], Values(values), through, generation
    )


def _sorted_rows(connection: sqlite3.Connection, key: str) -> Iterator[tuple[Value, Numbers]]:
    """Yield (value, document numbers) for every value of a field, in ascending order of values."""
    # One text with all numbers of a value is several times faster than one row per number.
    sql = (
        "SELECT {v}, group_concat(number) FROM fields WHERE key = ? AND kind = ? "
        "GROUP BY value ORDER BY value"
    )
    for value, numbers in connection.execute(sql.format(v="value"), (key, NUMBER)):
        if isinstance(value, int | float):  # Another type is damage, which `verify` reports.
            yield (NUMBER, value), _numbers(numbers)
    # As bytes, so that damaged text that is not UTF-8 can be read.
    text = sql.format(v="CAST(value AS BLOB)")
    if key in OWN_COLUMN:
        table, column = OWN_COLUMN[key]
        text = (
            "SELECT CAST(value AS BLOB), group_concat(number) FROM (SELECT value, number FROM "
            "fields WHERE key = ? AND kind = ? UNION "
            f"SELECT {column}, number FROM {table} WHERE {column} <> '') "
            "GROUP BY value ORDER BY value"
        )
    for value, numbers in connection.execute(text, (key, STRING)):
        if isinstance(value, bytes):
            yield (STRING, value.decode(errors="replace")), _numbers(numbers)
    for value, numbers in connection.execute(sql.format(v="value"), (key, BOOLEAN)):
        if isinstance(value, int):
            yield (BOOLEAN, value), _numbers(numbers)


def _numbers(text: str) -> Numbers:
    return np.array(text.split(","), dtype=np.int64) if "," in text else np.array([int(text)])


def _newer_values(
    connection: sqlite3.Connection, key: str, after: int
) -> Iterator[tuple[int, Value]]:
    """Yield (document number, value) for the values of documents with numbers above `after`."""
    own = "{}.{}".format(*OWN_COLUMN[key]) if key in OWN_COLUMN else "''"
    sql = (
        f"SELECT number, metadata, {own} FROM documents JOIN contents USING (number) "
        "WHERE number > ?"
    )
    for number, metadata, text in connection.execute(sql, (after,)):
        yield from _values_of(key, number, metadata, text)


def _values_of(key: str, at: int, metadata: str, own: str) -> Iterator[tuple[int, Value]]:
    if own:
        yield at, (STRING, own)
    for name, kind, value in flatten(json.loads(metadata)):
        if name == key:
            yield at, (kind, value)


def _own_values(connection: sqlite3.Connection, key: str, documents: Numbers) -> FieldValues:
    """Return the ids or titles of a few documents, with the metadata of the same name."""
    place = {number: position for position, number in enumerate(documents.tolist())}
    own = "{}.{}".format(*OWN_COLUMN[key])
    pairs: list[tuple[int, Value]] = []
    numbers = list(place)
    for start in range(0, len(numbers), _CHUNK):
        checkpoint()
        piece = numbers[start : start + _CHUNK]
        marks = ",".join("?" * len(piece))
        sql = (
            f"SELECT number, metadata, {own} FROM documents JOIN contents USING (number) "
            f"WHERE number IN ({marks})"
        )
        for number, metadata, text in connection.execute(sql, piece):
            pairs.extend(_values_of(key, place[number], metadata, text))
    return FieldValues.of(pairs)
