"""The values that documents have in one metadata field, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..core.filters import BOOLEAN, Scalar

Value = tuple[int, Scalar]
"""A kind (NUMBER, STRING or BOOLEAN of `core.filters`) and a value of this kind.

A boolean is 0 or 1. Values are ordered by kind first: numbers, strings, booleans. Strings are
ordered by code point.
"""

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FieldValues:
    """The values of one field in n documents. A document has no, one or several distinct values.

    positions: int64 [m], the document of each value, as a position from 0 to n - 1, ascending.
    codes:     int64 [m], for each value its index in `values`, ascending in each document.
    values:    the distinct values, ascending. Each of them is the value of a document.
    """

    positions: Codes
    codes: Codes
    values: Sequence[Value]

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
        return cls(at[order], coded[order], values)

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
