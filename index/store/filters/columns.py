"""All values of a metadata field, sorted in memory.

If a filter has many conditions on one field, the field is read from the database only once.
"""

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
Positions = NDArray[np.int64]

OWN_COLUMN = {"id": ("documents", "id"), "title": ("contents", "title")}
"""Field of the document itself -> table and column that store it, as strings."""


class Column:
    """All values of one kind (string, number or boolean) that the documents have in one field.

    The values are in ascending order.

    Strings are compared as UTF-8, that is, in order of code points. Dates are microseconds since
    1970; strings that are not dates are left out. Numbers are compared exactly, as in Python.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        key: str,
        kind: int,
        all_numbers: Numbers,
        *,
        dates: bool,
    ) -> None:
        """Read the values of the field `key` from the database.

        kind: kind of the values, a constant of `core.filters`.
        all_numbers: document numbers of the whole collection, ascending.
        dates: True: parse the strings as dates.
        """
        values: list[Any] = []
        numbers: list[int] = []
        wanted = bytes if kind == STRING else (int, float)
        for value, number in connection.execute(*_statement(key, kind)):
            if isinstance(value, wanted):  # Another type is damage, which `verify` reports.
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
        self._positions, known = positions_of(found, all_numbers)
        if not known.all():
            values = [value for value, keep in zip(values, known.tolist(), strict=True) if keep]
        self._values = values

    def positions(self, condition: Equal | Range | Prefix | Dated) -> Positions:
        """Return the documents that meet the condition, as positions of their numbers.

        A position is an index in `all_numbers`, which was passed to the constructor. The order is
        arbitrary. A position may occur more than once.
        """
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
        return self._positions[begin : max(begin, end)]


def positions_of(numbers: Numbers, all_numbers: Numbers) -> tuple[Positions, NDArray[np.bool_]]:
    """Look up `numbers` in the ascending array `all_numbers`.

    Returns the positions of the found numbers, and a mask that is true for each of the `numbers`
    that was found.
    """
    positions = np.searchsorted(all_numbers, numbers)
    found = positions < len(all_numbers)
    found[found] = all_numbers[positions[found]] == numbers[found]
    return positions[found], found


def _statement(key: str, kind: int) -> tuple[str, tuple[Any, ...]]:
    if kind != STRING:
        sql = "SELECT value, number FROM fields WHERE key = ? AND kind = ? ORDER BY value"
        return sql, (key, kind)
    # As bytes, so that damaged text that is not UTF-8 can be read.
    sql = "SELECT CAST(value AS BLOB), number FROM fields WHERE key = ? AND kind = ? ORDER BY value"
    if key in OWN_COLUMN:
        table, column = OWN_COLUMN[key]
        sql = sql.removesuffix(" ORDER BY value")
        sql += f" UNION ALL SELECT CAST({column} AS BLOB), number FROM {table}"
    return sql, (key, kind)
