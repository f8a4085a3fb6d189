"""Posting lists on disk: written in the order of terms, mapped for searching, merged in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.closing import Closing
from ..arrays.npy import NpyFile, NpyWriter
from ..arrays.offsets import fitting
from ..interpreting import interpreted_first
from ..protocol import Mask

MERGE_BYTES = 64
"""Working memory of a merge for each posting in a block: the block, its sorted copy, the order."""


@dataclass(frozen=True, slots=True)
class Block:
    """Postings as three parallel columns, ordered by term and then by row."""

    terms: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[Any]

    def renumber(self, numbers: NDArray[np.int32]) -> Block:
        """The same with row r called numbers[r]; rows with a negative number are dropped."""
        rows = numbers[self.rows]
        kept = rows >= 0
        return Block(self.terms[kept], rows[kept], self.values[kept])


def join(blocks: Sequence[Block]) -> Block:
    """One block of several whose rows follow each other."""
    terms = np.concatenate([block.terms for block in blocks])
    order = np.argsort(terms, kind="stable")
    return Block(
        terms[order],
        np.concatenate([block.rows for block in blocks])[order],
        np.concatenate([block.values for block in blocks])[order],
    )


class Postings:
    """The lists of one part.

    indptr: int64 [terms + 1]; rows: uint32 [postings] (stored as int32; unsigned numbers spare
    the kernels a test for negative ones); values: [postings].
    """

    def __init__(self, directory: Path, values: NpyFile[Any], terms: int, rows: int) -> None:
        """Map the lists of `terms` terms, whose row numbers are below `rows`.

        Raises ValueError if they are anything else. The kernels check no bounds, so a damaged
        number would have them read or write anywhere. To see it takes one pass over the file,
        about 0.3 s for a GB in the page cache, and reads what searches will soon need there.
        """
        self._indptr = NpyFile(directory / "indptr.npy", np.int64)
        self._rows = NpyFile(directory / "rows.npy", np.int32)
        self._values = values
        if len(self._rows) != len(values):
            raise ValueError(f"{len(self._rows)} rows, but {len(values)} values of postings")
        self._indptr.check_offsets(terms, len(values))
        self._rows.check_below(rows)
        self.indptr = self._indptr.array
        self.rows = self._rows.array.view(np.uint32)
        self.values = self._values.array
        # Indexing a memoryview gives Python numbers, several times faster than an array does.
        self._bounds = self.indptr.data

    @property
    def terms(self) -> int:
        return len(self.indptr) - 1

    def length(self, term: int) -> int:
        """How many rows have the term."""
        return self._bounds[term + 1] - self._bounds[term]

    def find(self, row: int, terms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where the posting of `row` in the list of each term is; -1 = it is not in that list."""
        places = np.empty(len(terms), dtype=np.int64)
        _find(self.indptr, self.rows, terms, row, places)
        return places

    def terms_of(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The terms of `row`, ascending, and where its postings are.

        Every list is asked, for there is nothing that goes from rows to terms.
        """
        places = self.find(row, np.arange(self.terms))
        terms = np.flatnonzero(places >= 0)
        return terms, places[terms]

    def blocks(self, memory: int) -> Iterator[Block]:
        """All lists, in blocks of whole lists that a merge can work on in `memory` bytes."""
        room = max(1, memory // MERGE_BYTES)
        first = 0
        while first < self.terms:
            last = fitting(self.indptr, first, room)
            yield self.read(first, last)
            first = last

    def read(self, first: int, last: int) -> Block:
        """The lists of terms `first` to `last` (exclusive), which it numbers from 0."""
        start, stop = int(self.indptr[first]), int(self.indptr[last])
        lengths = np.diff(self.indptr[first : last + 1])
        return Block(
            np.repeat(np.arange(last - first), lengths),
            self._rows.read(start, stop),
            self._values.read(start, stop),
        )


class PostingsWriter(Closing):
    """Writes the files of `Postings`, list by list."""

    def __init__(self, directory: Path, values: str, dtype: type[np.generic]) -> None:
        self._indptr = NpyWriter(directory / "indptr.npy", np.int64)
        self._rows = NpyWriter(directory / "rows.npy", np.int32)
        self._values = NpyWriter(directory / values, dtype)
        self._written = 0
        self._indptr.append(np.zeros(1, dtype=np.int64))

    def append(self, lengths: NDArray[Any], rows: NDArray[Any], values: NDArray[Any]) -> None:
        """Write lists of these lengths, which stand one after another in `rows` and `values`."""
        self._indptr.append(self._written + np.cumsum(lengths))
        self._written += len(rows)
        self._rows.append(rows)
        self._values.append(values)

    def close(self) -> None:
        """Finish the files."""
        for writer in (self._indptr, self._rows, self._values):
            writer.close()


def new_numbers(sources: Sequence[tuple[int, Mask | None]]) -> Iterator[NDArray[np.int32]]:
    """For each source (rows, mask) the numbers its rows have in the merged part; -1 = dropped."""
    begin = 0
    for rows, mask in sources:
        if mask is None:
            yield np.arange(begin, begin + rows, dtype=np.int32)
            begin += rows
        else:
            numbers = np.cumsum(mask, dtype=np.int32)
            kept = int(numbers[-1]) if rows else 0
            numbers += np.int32(begin - 1)
            numbers[~mask] = -1
            yield numbers
            begin += kept


@interpreted_first(lambda indptr, rows, terms, *rest: 64 * terms.size)
def _find(indptr: Any, rows: Any, terms: Any, row: int, places: Any) -> None:
    """places[i] = the posting of `row` in the list of terms[i], by bisection; -1 = none."""
    for index in range(terms.size):
        low, stop = indptr[terms[index]], indptr[terms[index] + 1]
        high = stop
        while low < high:
            middle = (low + high) // 2
            if rows[middle] < row:
                low = middle + 1
            else:
                high = middle
        places[index] = low if low < stop and rows[low] == row else -1
