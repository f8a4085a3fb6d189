"""Page-aligned posting lists on disk, each with a checksum.

    postings.bin  the lists in order, each from the start of a page:
                  rows int32 [m], zeros up to a multiple of 64 bytes,
                  codes uint8 [m, stride], zeros up to the end of the page
    lists.npy     uint64 [lists, 2]: m and the checksum of the pages of each list

m is the number of entries of a list. The offset of a list follows from the lengths of all lists
before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core.closing import Closing
from ...arrays.npy import NpyWriter, load
from ...arrays.offsets import of_lengths
from ...compiling import kernel
from ...protocol import MAX_ROWS

FILE = "postings.bin"
TABLE = "lists.npy"

PAGE = 4096
ALIGNMENT = 64

_LANES = 32
"""Number of 32-bit words summed in parallel: two of the widest registers."""


class PostingsWriter(Closing):
    """Writes postings.bin and lists.npy, list by list, in ascending order of list numbers."""

    def __init__(self, directory: Path, stride: int) -> None:
        """stride: bytes per code."""
        self._stride = stride
        self._table = NpyWriter(directory / TABLE, np.uint64, columns=2)
        self._file = (directory / FILE).open("wb")

    def append(self, rows: NDArray[np.int32], codes: NDArray[np.uint8]) -> None:
        """Write the next list: distinct rows int32 [m], codes uint8 [m, stride]. m may be 0."""
        count = len(rows)
        if codes.shape != (count, self._stride) or rows.dtype != np.int32:
            raise ValueError(
                f"expected int32 rows and codes of shape ({count}, {self._stride}), "
                f"got {rows.dtype} rows and codes of shape {codes.shape}"
            )
        first = int(codes_begin(count))
        pages = np.zeros(int(pages_of(count, self._stride)) * PAGE, dtype=np.uint8)
        pages[: rows.nbytes] = rows.view(np.uint8)
        pages[first : first + codes.nbytes] = codes.reshape(-1)
        pages.tofile(self._file)
        self._table.append(np.array([[count, checksum(pages)]], dtype=np.uint64))

    def close(self) -> None:
        """Finish and close the files."""
        self._table.close()
        self._file.close()


class Table:
    """The table of all posting lists. An entry of a list is a row and its code.

    counts:    number of entries of each list, int64 [lists].
    offsets:   byte offset of each list in postings.bin, int64 [lists + 1].
    checksums: checksum of each list, uint64 [lists].
    longest:   number of entries of the longest list.
    entries:   total number of entries in all lists.
    """

    def __init__(self, directory: Path, stride: int) -> None:
        """Raises OSError if a file cannot be read, and ValueError if the files are damaged."""
        table = load(directory / TABLE)
        if table.dtype != np.uint64 or table.ndim != 2 or table.shape[1] != 2:
            raise ValueError(
                f"{TABLE} must be uint64 of shape (n, 2), got {table.dtype} of shape {table.shape}"
            )
        if len(table) and int(table[:, 0].max()) > MAX_ROWS:
            raise ValueError(
                f"list lengths in {TABLE} must be at most {MAX_ROWS:,}, got {table[:, 0].max():,}"
            )
        self.counts: NDArray[np.int64] = table[:, 0].astype(np.int64)
        self.checksums: NDArray[np.uint64] = table[:, 1].copy()
        self.offsets = of_lengths(pages_of(self.counts, stride) * PAGE)
        self.longest = int(self.counts.max(initial=0))
        self.entries = int(self.counts.sum())
        wanted, found = int(self.offsets[-1]), (directory / FILE).stat().st_size
        if found != wanted:
            raise ValueError(
                f"{FILE} must have {wanted:,} bytes for the lists in {TABLE}, got {found:,}"
            )

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def nbytes(self) -> int:
        """Size of the table in memory, in bytes."""
        return self.counts.nbytes + self.offsets.nbytes + self.checksums.nbytes


def codes_begin(counts: Any) -> Any:
    """Return the byte offset of the codes within a list of `counts` entries.

    counts: a number, or an array for several lists.
    """
    return -(-4 * counts // ALIGNMENT) * ALIGNMENT


def pages_of(counts: Any, stride: int) -> Any:
    """Return the number of pages that a list of `counts` entries takes.

    counts: a number, or an array for several lists.
    stride: bytes per code.
    """
    return -(-(codes_begin(counts) + counts * stride) // PAGE)


def checksum(pages: NDArray[np.uint8]) -> int:
    """Return the 64-bit checksum of whole pages, uint8 [n * PAGE] (Fletcher 1982).

    Each of 32 lanes of 32-bit words has a sum s += word and a sum of sums t += s. A polynomial
    joins the lanes. A changed word changes s; swapped words change t. The checksum runs at memory
    speed, ten times as fast as a CRC, so lists are checked at every read.
    """
    return int(fletcher(pages.view(np.uint32)))


@kernel
def fletcher(words: Any) -> Any:
    """Return the `checksum` of 32-bit words. Compiled functions can call this function."""
    sums = np.zeros(_LANES, dtype=np.uint32)
    sums_of_sums = np.zeros(_LANES, dtype=np.uint32)
    for row in range(words.size // _LANES):
        for lane in range(_LANES):
            sums[lane] += words[row * _LANES + lane]
            sums_of_sums[lane] += sums[lane]
    joined = np.uint64(0)
    for lane in range(_LANES):
        pair = np.uint64(sums[lane]) | (np.uint64(sums_of_sums[lane]) << np.uint64(32))
        joined = joined * np.uint64(0x9E3779B97F4A7C15) + pair
    return joined
