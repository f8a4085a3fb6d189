"""Posting lists on disk, page-aligned, each with a checksum.

    postings.bin  the lists one after another, each from the start of a page on:
                  rows int32 [m], zeros up to a multiple of 64 bytes,
                  codes uint8 [m, stride], zeros up to the end of the page
    lists.npy     uint64 [lists, 2]: m and the checksum of the pages of each list

Where a list begins follows from the lengths of those before it.
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
"""32-bit words that are summed side by side: two of the widest registers."""


class PostingsWriter(Closing):
    """Writes the files; the lists come in order 0, 1, ..."""

    def __init__(self, directory: Path, stride: int) -> None:
        """stride: bytes of a code."""
        self._stride = stride
        self._table = NpyWriter(directory / TABLE, np.uint64, columns=2)
        self._file = (directory / FILE).open("wb")

    def append(self, rows: NDArray[np.int32], codes: NDArray[np.uint8]) -> None:
        """Write the next list: int32 [m] and uint8 [m, stride]; m may be 0, no row comes twice."""
        count = len(rows)
        if codes.shape != (count, self._stride) or rows.dtype != np.int32:
            raise ValueError(
                f"{count} rows ({rows.dtype}) with codes {codes.shape}, not [{count}, "
                f"{self._stride}]"
            )
        first = int(codes_begin(count))
        pages = np.zeros(int(pages_of(count, self._stride)) * PAGE, dtype=np.uint8)
        pages[: rows.nbytes] = rows.view(np.uint8)
        pages[first : first + codes.nbytes] = codes.reshape(-1)
        pages.tofile(self._file)
        self._table.append(np.array([[count, checksum(pages)]], dtype=np.uint64))

    def close(self) -> None:
        """Finish the files."""
        self._table.close()
        self._file.close()


class Table:
    """Where each list lies.

    counts: int64 [lists], entries of each; offsets: int64 [lists + 1], the byte each begins at;
    checksums: uint64 [lists]. longest, entries: of one list, of all.
    """

    def __init__(self, directory: Path, stride: int) -> None:
        """Raises OSError, and ValueError unless the table is one and fits postings.bin."""
        table = load(directory / TABLE)
        if table.dtype != np.uint64 or table.ndim != 2 or table.shape[1] != 2:
            raise ValueError(f"{TABLE}: unexpected {table.dtype} {table.shape}")
        if len(table) and int(table[:, 0].max()) > MAX_ROWS:
            raise ValueError(f"{TABLE}: a list cannot be that long")
        self.counts: NDArray[np.int64] = table[:, 0].astype(np.int64)
        self.checksums: NDArray[np.uint64] = table[:, 1].copy()
        self.offsets = of_lengths(pages_of(self.counts, stride) * PAGE)
        self.longest = int(self.counts.max(initial=0))
        self.entries = int(self.counts.sum())
        wanted, found = int(self.offsets[-1]), (directory / FILE).stat().st_size
        if found != wanted:
            raise ValueError(f"{FILE}: {found:,} bytes, but {TABLE} says {wanted:,}")

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def nbytes(self) -> int:
        """Memory."""
        return self.counts.nbytes + self.offsets.nbytes + self.checksums.nbytes


def codes_begin(counts: Any) -> Any:
    """Bytes before the codes of lists with so many entries."""
    return -(-4 * counts // ALIGNMENT) * ALIGNMENT


def pages_of(counts: Any, stride: int) -> Any:
    """Pages of lists with so many entries."""
    return -(-(codes_begin(counts) + counts * stride) // PAGE)


def checksum(pages: NDArray[np.uint8]) -> int:
    """Fletcher's checksum (1982) of whole pages, uint8 [n * PAGE], as 64 bits.

    Each of 32 lanes of 32-bit words has a sum s += word and a sum of sums t += s; the lanes are
    joined by a polynomial. A changed word changes s, words that changed places change t. It runs
    at the speed of memory, ten times that of a CRC, so that a list is checked whenever it is read.
    """
    return int(fletcher(pages.view(np.uint32)))


@kernel
def fletcher(words: Any) -> Any:
    """The same for 32-bit words, from and within compiled functions."""
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
