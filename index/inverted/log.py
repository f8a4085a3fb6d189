"""The lists of a delta: postings in the order of writing, each linked to the one before it.

Appending is cheap and a query still walks only the lists of its own terms. What a search holds is
a `LogState`: everything in it was complete before it was made and is never changed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.growing import GrowingArray
from ..interpreting import interpreted_first


@dataclass(frozen=True, slots=True)
class LogState:
    """A state of a log.

    heads:    int64 [terms]      newest posting of each term, -1 = none
    previous: int64 [postings]   the posting of the same term before this one, -1 = none
    rows:     int32 [postings]
    terms:    int32 [postings]
    values:   [postings]
    indptr:   int64 [rows + 1]   the postings of row r are indptr[r] to indptr[r + 1]
    """

    heads: NDArray[np.int64]
    previous: NDArray[np.int64]
    rows: NDArray[np.int32]
    terms: NDArray[np.int32]
    values: NDArray[Any]
    indptr: NDArray[np.int64]

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Terms and values of one row."""
        start, stop = self.indptr[row], self.indptr[row + 1]
        return self.terms[start:stop], self.values[start:stop]


class PostingsLog:
    """Grows by rows. One writer; any number of readers of `state`."""

    def __init__(self, dtype: type[np.generic]) -> None:
        """`dtype` is that of the values."""
        self._previous = GrowingArray(np.int64)
        self._rows = GrowingArray(np.int32)
        self._terms = GrowingArray(np.int32)
        self._values: GrowingArray[Any] = GrowingArray(dtype)
        self._indptr = GrowingArray(np.int64)
        self._indptr.append(np.zeros(1, dtype=np.int64))
        self.state = self._state(np.empty(0, dtype=np.int64))

    def append(
        self, terms: NDArray[Any], values: NDArray[Any], lengths: NDArray[Any], vocabulary: int
    ) -> None:
        """Add rows, of `lengths` postings each; terms are below `vocabulary`.

        Raises ValueError, and adds nothing, if they are not: `_link` writes where they say.
        """
        if len(terms) and not 0 <= terms.min() <= terms.max() < vocabulary:
            raise ValueError(f"a term is not from 0 to {vocabulary - 1}")
        if not len(terms) == len(values) == lengths.sum():
            raise ValueError("terms, values and lengths of rows differ in number")
        if vocabulary < len(self.state.heads):
            raise ValueError(f"{vocabulary} terms after {len(self.state.heads)}")
        begin, first_row = len(self._terms), len(self._indptr) - 1
        heads = np.full(vocabulary, -1, dtype=np.int64)
        heads[: len(self.state.heads)] = self.state.heads
        previous = np.empty(len(terms), dtype=np.int64)
        terms = terms.astype(np.int32)
        _link(terms, begin, heads, previous)
        self._previous.append(previous)
        self._terms.append(terms)
        self._values.append(values)
        self._rows.append(np.repeat(np.arange(first_row, first_row + len(lengths)), lengths))
        self._indptr.append(begin + np.cumsum(lengths))
        self.state = self._state(heads)

    def _state(self, heads: NDArray[np.int64]) -> LogState:
        return LogState(
            heads,
            self._previous.values,
            self._rows.values,
            self._terms.values,
            self._values.values,
            self._indptr.values,
        )


@interpreted_first(lambda terms, *rest: terms.size)
def _link(terms: Any, begin: int, heads: Any, previous: Any) -> None:
    """Make each posting the head of its term and link it to the head before."""
    for index in range(terms.size):
        previous[index] = heads[terms[index]]
        heads[terms[index]] = begin + index


@interpreted_first(lambda heads, previous, *rest: previous.size)
def add_linked_weights(
    heads: Any, previous: Any, rows: Any, weights: Any, terms: Any, factors: Any, accumulator: Any
) -> None:
    """`scoring.add_weights` over linked lists. Rows beyond the accumulator are passed over."""
    for index in range(terms.size):
        factor = factors[index]
        posting = heads[terms[index]]
        while posting >= 0:
            row = rows[posting]
            if row < accumulator.size:
                accumulator[row] += factor * weights[posting]
            posting = previous[posting]


@interpreted_first(lambda heads, previous, *rest: previous.size)
def add_linked_frequencies(
    heads: Any,
    previous: Any,
    rows: Any,
    frequencies: Any,
    norms: Any,
    terms: Any,
    factors: Any,
    accumulator: Any,
) -> None:
    """The same where a weight is tf / (tf + norm of the row), for as many rows as `norms` has."""
    for index in range(terms.size):
        factor = factors[index]
        posting = heads[terms[index]]
        while posting >= 0:
            row = rows[posting]
            if row < norms.size:
                frequency = frequencies[posting]
                accumulator[row] += factor * np.float32(frequency / (frequency + norms[row]))
            posting = previous[posting]


@interpreted_first(lambda heads, previous, *rest: previous.size)
def count_linked(heads: Any, previous: Any, rows: Any, terms: Any, live: Any, counts: Any) -> None:
    """counts[i] = how many live rows contain terms[i]."""
    for index in range(terms.size):
        count = 0
        posting = heads[terms[index]]
        while posting >= 0:
            row = rows[posting]
            if row < live.size and live[row]:
                count += 1
            posting = previous[posting]
        counts[index] = count
