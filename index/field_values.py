"""The values that documents have in one metadata field, as arrays."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ..core.filters import BOOLEAN, STRING, Scalar
from ..core.filters.dates import instant

Value = tuple[int, Scalar]
"""A kind (NUMBER, STRING or BOOLEAN of `core.filters`) and a value of this kind.

A boolean is 0 or 1. Values are ordered by kind first: numbers, strings, booleans. Strings are
ordered by code point.
"""

Codes = NDArray[np.int64]

NO_DATE = np.iinfo(np.int64).min
"""Stands for a value that is no date."""


class Values(Sequence[Value]):
    """Distinct values in ascending order, with the numbers and dates among them as arrays.

    The arrays are computed once, even if only some of the values are chosen in each search.
    """

    def __init__(
        self, values: Sequence[Value], *, whole: Values | None = None, chosen: Codes | None = None
    ) -> None:
        """values: all values. whole, chosen: the `Values` of all, and which of them these are."""
        self._all = values
        self._whole = whole
        self._chosen = chosen

    def chosen(self, codes: Codes) -> Values:
        """Return some of all values. codes: int64 [n], ascending and distinct."""
        return Values(self._all, whole=self, chosen=codes)

    def at(self, codes: Codes) -> list[Value]:
        """Return the values with these codes. codes: int64 [n], in any order."""
        places = codes if self._chosen is None else self._chosen[codes]
        return [self._all[place] for place in places.tolist()]

    def __len__(self) -> int:
        return len(self._all) if self._chosen is None else len(self._chosen)

    @overload
    def __getitem__(self, code: int) -> Value: ...

    @overload
    def __getitem__(self, code: slice) -> Sequence[Value]: ...

    def __getitem__(self, code: int | slice) -> Value | Sequence[Value]:
        if self._chosen is None:
            return self._all[code]
        if isinstance(code, slice):
            return [self._all[place] for place in self._chosen[code].tolist()]
        return self._all[int(self._chosen[code])]

    def __iter__(self) -> Iterator[Value]:
        return iter(self[:])

    @cached_property
    def number_count(self) -> int:
        """Number of values that are numbers. They come first."""
        return bisect_left(self, STRING, key=lambda value: value[0])

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The values that are numbers, float64 [number_count]."""
        if self._whole is not None and self._chosen is not None:
            return self._whole.numbers[self._chosen[: self.number_count]]
        return np.array([value for _, value in self[: self.number_count]], dtype=np.float64)

    @cached_property
    def instants(self) -> Codes:
        """int64 [n], microseconds since 1970 in UTC for strings that are dates, else `NO_DATE`."""
        if self._whole is not None and self._chosen is not None:
            return self._whole.instants[self._chosen]
        found = (instant(str(value)) if kind == STRING else None for kind, value in self)
        return np.array([NO_DATE if at is None else at for at in found], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class FieldValues:
    """The values of one field in n documents. A document has no, one or several distinct values.

    positions: int64 [m], the document of each value, as a position from 0 to n - 1, ascending.
    codes:     int64 [m], for each value its index in `values`, ascending in each document.
    values:    the distinct values, ascending. Each of them is the value of a document.
    """

    positions: Codes
    codes: Codes
    values: Values

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, Value]]) -> FieldValues:
        """Return the values of (position, value) pairs in any order. Repeated pairs count once."""
        found = sorted(pairs, key=lambda pair: pair[1])
        values, codes, positions = [], [], []
        for code, (value, same) in enumerate(groupby(found, key=lambda pair: pair[1])):
            values.append(value)
            for position in {position for position, _ in same}:
                codes.append(code)
                positions.append(position)
        at, coded = np.array(positions, dtype=np.int64), np.array(codes, dtype=np.int64)
        order = np.lexsort((coded, at))
        return cls(at[order], coded[order], Values(values))

    def extremes(self, documents: int, *, largest: bool) -> Codes:
        """Return for each document the code of its smallest or largest value; -1: it has none.

        documents: the number n of documents.
        """
        found = np.full(documents, -1, dtype=np.int64)
        if largest:  # Of several assignments to one element, the last one counts.
            found[self.positions] = self.codes
        else:
            found[self.positions[::-1]] = self.codes[::-1]
        return found


def plain(value: Value) -> str | int | float | bool:
    """Return a value as JSON has it."""
    kind, found = value
    return bool(found) if kind == BOOLEAN else found
