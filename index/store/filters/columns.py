"""All values of a field in order, so that many conditions on it read the tables once."""

from __future__ import annotations

import sqlite3
from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.filters import STRING, Dated, Equal, Prefix, Range
from ....core.filters.dates import instant
from .ranges import bounds_of

Numbers = NDArray[np.int64]
Places = NDArray[np.int64]

OWN_COLUMN = {"id": ("documents", "id"), "title": ("contents", "title")}
"""Fields of the document itself -> table and column that hold them, as strings."""


class Column:
    """The values of one kind that documents have under one key, ascending.

    Strings are compared as UTF-8, whose order is that of code points. A date is microseconds since
    1970; strings that are no dates are left out. Numbers are compared exactly, as Python does.
    """

    def __init__(
        self, connection: sqlite3.Connection, key: str, kind: int, whole: Numbers, *, dates: bool
    ) -> None:
        """whole: the numbers of all documents, ascending. dates: read the strings as dates."""
        values: list[Any] = []
        numbers: list[int] = []
        wanted = bytes if kind == STRING else (int, float)
        for value, number in connection.execute(*_statement(key, kind)):
            if isinstance(value, wanted):  # Another type is damage, which others name.
                values.append(value)
                numbers.append(number)
        found = np.array(numbers, dtype=np.int64)
        if dates:
            read = {text: instant(text.decode(errors="replace")) for text in set(values)}
            dated = [(at, i) for i, text in enumerate(values) if (at := read[text]) is not None]
            dated.sort()
            values, found = [at for at, _ in dated], found[[i for _, i in dated]]
        elif key in OWN_COLUMN:
            order = sorted(range(len(values)), key=values.__getitem__)
            values, found = [values[i] for i in order], found[order]
        self._places, there = places_of(found, whole)
        if not there.all():
            values = [value for value, keep in zip(values, there.tolist(), strict=True) if keep]
        self._values = values

    def places(self, condition: Equal | Range | Prefix | Dated) -> Places:
        """Places in `whole` of the documents with a value that meets the condition, in no fixed
        order; a place may come more than once."""
        begin, end = 0, len(self._values)
        for operator, bound in bounds_of(condition):
            value: Any = bound.encode() if isinstance(bound, str) else bound
            if operator in ("gte", "eq"):
                begin = max(begin, bisect_left(self._values, value))
            elif operator == "gt":
                begin = max(begin, bisect_right(self._values, value))
            if operator in ("lte", "eq"):
                end = min(end, bisect_right(self._values, value))
            elif operator == "lt":
                end = min(end, bisect_left(self._values, value))
        return self._places[begin : max(begin, end)]


def places_of(numbers: Numbers, whole: Numbers) -> tuple[Places, NDArray[np.bool_]]:
    """(places in `whole` of the numbers that are there, which ones are there)."""
    places = np.searchsorted(whole, numbers)
    there = places < len(whole)
    there[there] = whole[places[there]] == numbers[there]
    return places[there], there


def _statement(key: str, kind: int) -> tuple[str, tuple[Any, ...]]:
    if kind != STRING:
        sql = "SELECT value, number FROM fields WHERE key = ? AND kind = ? ORDER BY value"
        return sql, (key, kind)
    # As bytes, so that text which is no UTF-8 any more can be read.
    sql = "SELECT CAST(value AS BLOB), number FROM fields WHERE key = ? AND kind = ? ORDER BY value"
    if key in OWN_COLUMN:
        table, column = OWN_COLUMN[key]
        sql = sql.removesuffix(" ORDER BY value")
        sql += f" UNION ALL SELECT CAST({column} AS BLOB), number FROM {table}"
    return sql, (key, kind)
