"""Posting lists in memory: a log in which each posting links to the previous posting of its term.

Appends are cheap, and a query follows only the links of its own terms. A search reads a `LogState`,
an immutable snapshot of the log.
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
    """An immutable snapshot of a log of postings.

    heads:    int64 [terms]      newest posting of each term; -1: no posting
    previous: int64 [postings]   previous posting of the same term; -1: no posting
    rows:     int32 [postings]   row of each posting
    terms:    int32 [postings]   term of each posting
    values:   [postings]         weight or frequency of the term in the row
    indptr:   int64 [rows + 1]   the postings of row r are indptr[r] to indptr[r + 1]
    """

    heads: NDArray[np.int64]
    previous: NDArray[np.int64]
    rows: NDArray[np.int32]
    terms: NDArray[np.int32]
    values: NDArray[Any]
    indptr: NDArray[np.int64]

    def row(self, row: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Return the term numbers and values of one row."""
        start, stop = self.indptr[row], self.indptr[row + 1]
        return self.terms[start:stop], self.values[start:stop]


class PostingsLog:
    """A log of postings that grows by rows.

    Only one thread may append. Any number of threads may read `state`.
    """

    def __init__(self, dtype: type[np.generic]) -> None:
        """dtype: type of the values of postings (weights or frequencies)."""
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
        """Append rows to the log.

        terms, values: term number and value of each posting, row by row.
        lengths:       number of postings of each row.
        vocabulary:    number of terms, including terms without postings.

        Raises ValueError, and appends nothing, if a term number is not below `vocabulary`, if the
        numbers of postings do not match, or if `vocabulary` is smaller than in an earlier call.
        """
        if len(terms) and not 0 <= terms.min() <= terms.max() < vocabulary:
            raise ValueError(
                f"term numbers must be from 0 to {vocabulary - 1}, "
                f"got {terms.min()} to {terms.max()}"
            )
        if not len(terms) == len(values) == lengths.sum():
            raise ValueError(
                f"rows with {lengths.sum()} postings need as many terms and values, "
                f"got {len(terms)} terms and {len(values)} values"
            )
        if vocabulary < len(self.state.heads):
            least = len(self.state.heads)
            raise ValueError(
                f"vocabulary must be at least {least}, got {vocabulary}: a vocabulary cannot shrink"
            )
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
    """Link each posting to the previous posting of its term, and store it in `heads` as the newest.

    terms: term of each posting.
    begin: number of the first of these postings in the log.
    heads, previous: see LogState; updated in place.
    """
    for index in range(terms.size):
        previous[index] = heads[terms[index]]
        heads[terms[index]] = begin + index


@interpreted_first(lambda heads, previous, *rest: previous.size)
def add_linked_weights(
    heads: Any, previous: Any, rows: Any, weights: Any, terms: Any, factors: Any, accumulator: Any
) -> None:
    """For each posting of terms[i], add factors[i] * weight to the score of the posting's row.

    heads, previous, rows: see LogState.
    weights:     weight of each posting.
    accumulator: scores of the first rows. Postings of rows without an element are skipped.
    """
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
    """For each posting of terms[i], add factors[i] * tf / (tf + norms[row]) to accumulator[row].

    tf and row are the term frequency and the row of the posting. Postings of rows without a norm
    are skipped.

    heads, previous, rows: see LogState.
    """
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
    """Set counts[i] to the number of live (not deleted) rows that contain terms[i].

    heads, previous, rows: see LogState.
    live: mask of the first rows. Rows without an element do not count.
    """
    for index in range(terms.size):
        count = 0
        posting = heads[terms[index]]
        while posting >= 0:
            row = rows[posting]
            if row < live.size and live[row]:
                count += 1
            posting = previous[posting]
        counts[index] = count


@interpreted_first(lambda heads, previous, *rest: previous.size)
def sum_linked(
    heads: Any, previous: Any, rows: Any, frequencies: Any, terms: Any, live: Any, sums: Any
) -> None:
    """Set sums[i] to the sum of the frequencies of terms[i] in live (not deleted) rows.

    heads, previous, rows: see LogState.
    frequencies: term frequency of each posting.
    live: mask of the first rows. Rows without an element do not count.
    """
    for index in range(terms.size):
        total = 0
        posting = heads[terms[index]]
        while posting >= 0:
            row = rows[posting]
            if row < live.size and live[row]:
                total += frequencies[posting]
            posting = previous[posting]
        sums[index] = total
