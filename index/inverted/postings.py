"""Posting lists on disk: written in term order, mapped for searches, merged in blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.closing import Closing
from ..arrays.npy import NpyFile, NpyWriter
from ..arrays.offsets import block_end
from ..interpreting import interpreted_first
from ..protocol import Mask

MERGE_BYTES = 64
"""Working memory in bytes of a merge per posting: the block, its sorted copy, and the order."""


@dataclass(frozen=True, slots=True)
class Block:
    """Postings in memory, as three parallel arrays ordered by term and then by row."""

    terms: NDArray[np.int64]
    rows: NDArray[np.int32]
    values: NDArray[Any]

    def renumber(self, numbers: NDArray[np.int32]) -> Block:
        """Return a copy in which row r becomes numbers[r]. Drops rows with a negative number."""
        rows = numbers[self.rows]
        kept = rows >= 0
        return Block(self.terms[kept], rows[kept], self.values[kept])


def join(blocks: Sequence[Block]) -> Block:
    """Join blocks into one. The rows of each block must follow those of the previous block."""
    terms = np.concatenate([block.terms for block in blocks])
    order = np.argsort(terms, kind="stable")
    return Block(
        terms[order],
        np.concatenate([block.rows for block in blocks])[order],
        np.concatenate([block.values for block in blocks])[order],
    )


class Postings:
    """The posting lists of one segment, in mapped files.

    indptr: term t has the postings indptr[t] to indptr[t + 1] (exclusive), int64 [terms + 1].
    rows:   row of each posting, uint32 [postings]. The file has int32. With unsigned numbers,
            kernels need no test for negative indices.
    values: weight of each posting, or code of its term frequency and passage length, [postings].
    """

    def __init__(self, directory: Path, values: NpyFile[Any], terms: int, rows: int) -> None:
        """Map indptr.npy and rows.npy in `directory`.

        values: file of the values of postings.
        terms:  number of terms.
        rows:   number of rows.

        Raises ValueError if a number in the files is out of range. The kernels check no bounds, so
        a damaged number would make them access arbitrary memory. The check reads indptr.npy and
        rows.npy once, which takes about 0.3 s for 1 GB in the page cache.
        """
        self._indptr = NpyFile(directory / "indptr.npy", np.int64)
        self._rows = NpyFile(directory / "rows.npy", np.int32)
        self._values = values
        if len(self._rows) != len(values):
            raise ValueError(
                "rows.npy and the file with the values of postings must have the same length, "
                f"got {len(self._rows)} rows and {len(values)} values"
            )
        self._indptr.check_offsets(terms, len(values))
        self._rows.check_below(rows)
        self.indptr = self._indptr.array
        self.rows = self._rows.array.view(np.uint32)
        self.values = self._values.array
        # Indexing a memoryview returns Python numbers, several times faster than an array.
        self._bounds = self.indptr.data

    @property
    def terms(self) -> int:
        """Number of terms."""
        return len(self.indptr) - 1

    def length(self, term: int) -> int:
        """Return the length of the posting list of a term."""
        return self._bounds[term + 1] - self._bounds[term]

    def find(self, row: int, terms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return, for each term, the index of its posting for `row`, int64; -1 if there is none."""
        positions = np.empty(len(terms), dtype=np.int64)
        _find(self.indptr, self.rows, terms, row, positions)
        return positions

    def terms_of(self, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the terms of `row`, ascending, and the indices of their postings.

        Searches every posting list, because there is no index from rows to terms.
        """
        positions = self.find(row, np.arange(self.terms))
        terms = np.flatnonzero(positions >= 0)
        return terms, positions[terms]

    def blocks(self, memory: int) -> Iterator[Block]:
        """Yield all posting lists in blocks, each of which a merge can process in `memory` bytes.

        Lists are not divided, so a block with a single long list may need more.
        """
        room = max(1, memory // MERGE_BYTES)
        first = 0
        while first < self.terms:
            last = block_end(self.indptr, first, room)
            yield self.read(first, last)
            first = last

    def read(self, first: int, last: int) -> Block:
        """Return the posting lists of terms `first` to `last` (exclusive).

        In the result, term `first` has the number 0.
        """
        start, stop = int(self.indptr[first]), int(self.indptr[last])
        lengths = np.diff(self.indptr[first : last + 1])
        return Block(
            np.repeat(np.arange(last - first), lengths),
            self._rows.read(start, stop),
            self._values.read(start, stop),
        )


class PostingsWriter(Closing):
    """Writes the files that `Postings` reads. Lists must be appended in order of terms."""

    def __init__(self, directory: Path, values: str, dtype: type[np.generic]) -> None:
        with ExitStack() as opened:  # Closes all if one cannot be opened.
            self._indptr = opened.enter_context(NpyWriter(directory / "indptr.npy", np.int64))
            self._rows = opened.enter_context(NpyWriter(directory / "rows.npy", np.int32))
            self._values = opened.enter_context(NpyWriter(directory / values, dtype))
            opened.pop_all()
        self._written = 0
        self._indptr.append(np.zeros(1, dtype=np.int64))

    def append(self, lengths: NDArray[Any], rows: NDArray[Any], values: NDArray[Any]) -> None:
        """Append posting lists.

        lengths:      length of each list.
        rows, values: the lists, concatenated.
        """
        self._indptr.append(self._written + np.cumsum(lengths))
        self._written += len(rows)
        self._rows.append(rows)
        self._values.append(values)

    def close(self) -> None:
        """Finish and close the files."""
        for writer in (self._indptr, self._rows, self._values):
            writer.close()


def new_numbers(sources: Sequence[tuple[int, Mask | None]]) -> Iterator[NDArray[np.int32]]:
    """For each segment to merge, yield the number of each row after the merge, int32 [rows].

    The number is -1 for a dropped row.

    sources: number of rows of each segment, and a mask of the rows to keep (None: all).
    """
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
def _find(indptr: Any, rows: Any, terms: Any, row: int, positions: Any) -> None:
    """Set positions[i] to the index of the posting of `row` in the list of terms[i]; -1: none."""
    for index in range(terms.size):
        low, stop = indptr[terms[index]], indptr[terms[index] + 1]
        high = stop
        while low < high:
            middle = (low + high) // 2
            if rows[middle] < row:
                low = middle + 1
            else:
                high = middle
        positions[index] = low if low < stop and rows[low] == row else -1
