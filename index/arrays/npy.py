"""Arrays on disk as plain .npy files: written piece by piece, mapped or read in slices."""

from __future__ import annotations

from io import BufferedWriter
from mmap import mmap
from pathlib import Path
from tokenize import TokenError
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ...core.closing import Closing

T = TypeVar("T", bound=np.generic)

_CHECKED = 1 << 18
"""Elements that are checked at a time."""


class NpyWriter(Closing):
    """Writes one .npy file whose length is only known at the end.

    The result is byte for byte what `numpy.save` would have written.
    """

    def __init__(self, path: Path, dtype: type[np.generic], columns: int | None = None) -> None:
        """`columns` is the second dimension of a matrix; None for a vector."""
        self._dtype = np.dtype(dtype)
        self._tail = () if columns is None else (columns,)
        self._length = 0
        self._file: BufferedWriter = path.open("wb")
        self._write_header()

    def append(self, array: NDArray[Any]) -> None:
        """Add elements (or rows) at the end; they are converted to the type of the file."""
        if array.shape[1:] != self._tail:
            raise ValueError(f"shape {array.shape} does not continue (n, *{self._tail})")
        array.astype(self._dtype, copy=False).tofile(self._file)
        self._length += len(array)

    def close(self) -> None:
        """Write the final length and close."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        # numpy pads the header so that the first dimension can grow without moving the data.
        header = {
            "descr": npy.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._length, *self._tail),
        }
        npy.write_array_header_1_0(self._file, header)


class NpyFile(Generic[T]):
    """A .npy file that is mapped for searching and read by position for merging.

    array: the whole file, mapped and read-only. mapping, offset: the map itself, and where in it
    the array begins.
    """

    def __init__(self, path: Path, *types: type[T], dimensions: int = 1) -> None:
        """Raises ValueError unless the elements are of one of `types`."""
        mapped: np.memmap[Any, np.dtype[T]] = load(path, mapped=True)
        if mapped.dtype not in types or mapped.ndim != dimensions:
            raise ValueError(f"{path.name}: unexpected {mapped.dtype} in {mapped.ndim} dimensions")
        self._path = path
        self.offset = mapped.offset
        self.mapping: mmap = mapped._mmap  # type: ignore[attr-defined]
        self.array: NDArray[T] = mapped.view(np.ndarray)

    def __len__(self) -> int:
        return len(self.array)

    def read(self, start: int, stop: int) -> NDArray[T]:
        """A copy of elements (or rows) `start` to `stop`, read without touching the mapping.

        Pages that a process reads through a mapping count as its memory; these do not.
        """
        width = int(np.prod(self.array.shape[1:], dtype=np.int64))
        values = np.fromfile(
            self._path,
            dtype=self.array.dtype,
            count=(stop - start) * width,
            offset=self.offset + start * width * self.array.itemsize,
        )
        return values.reshape(-1, *self.array.shape[1:])

    def check_below(self, end: int) -> None:
        """Raise ValueError unless every number is at least 0 and below `end`."""
        # As unsigned numbers the negative ones are the largest.
        unsigned = np.dtype(f"u{self.array.itemsize}")
        for start in range(0, len(self), _CHECKED):
            block = self.read(start, min(start + _CHECKED, len(self)))
            if block.view(unsigned).max() >= end:
                raise ValueError(f"{self._path.name}: a number is not from 0 to {end - 1}")

    def check_ascending(self, *, strictly: bool = False) -> None:
        """Raise ValueError if a number is less than the one before; `strictly`: or equal."""
        for start in range(0, len(self) - 1, _CHECKED):
            block: NDArray[Any] = self.read(start, min(start + _CHECKED + 1, len(self)))
            wrong = block[1:] <= block[:-1] if strictly else block[1:] < block[:-1]
            if wrong.any():
                raise ValueError(f"{self._path.name}: the numbers do not ascend")

    def check_offsets(self, pieces: int, end: int, *, empty: bool = True) -> None:
        """Raise ValueError unless these are the bounds of `pieces` pieces of 0 to `end`.

        `empty`: a piece may be.
        """
        if len(self) == 0 or len(self) != pieces + 1 or self.array[0] != 0 or self.array[-1] != end:
            raise ValueError(f"{self._path.name}: not the bounds of {pieces} pieces of {end}")
        self.check_ascending(strictly=not empty)


def load(path: Path, *, mapped: bool = False) -> Any:
    """The array of a file, read or `mapped`. Raises OSError, or ValueError for what is none."""
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (SyntaxError, TokenError, EOFError, OverflowError, MemoryError) as error:
        # What numpy makes of a header that was altered: its shape can be any number.
        raise ValueError(f"{path.name}: not an array: {error}") from error


def save(path: Path, array: NDArray[Any]) -> None:
    """Write a whole array."""
    np.save(path, array, allow_pickle=False)
