"""Arrays in .npy files: written in pieces, memory-mapped or read in slices."""

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
"""Number of elements checked at a time."""


class NpyWriter(Closing):
    """Writes an array to a .npy file in pieces. The length of the array may be unknown at first.

    The file is byte for byte what `numpy.save` writes for the whole array.
    """

    def __init__(self, path: Path, dtype: type[np.generic], columns: int | None = None) -> None:
        """columns: number of columns of a matrix; None for a one-dimensional array."""
        self._dtype = np.dtype(dtype)
        self._tail = () if columns is None else (columns,)
        self._length = 0
        self._file: BufferedWriter = path.open("wb")
        self._write_header()

    def append(self, array: NDArray[Any]) -> None:
        """Append elements (or rows), converted to the dtype of the file.

        Raises ValueError if `array` has another number of columns than the file.
        """
        if array.shape[1:] != self._tail:
            raise ValueError(
                f"rows written to {self._file.name} must have shape {self._tail}, "
                f"got {array.shape[1:]}"
            )
        array.astype(self._dtype, copy=False).tofile(self._file)
        self._length += len(array)

    def close(self) -> None:
        """Write the final length into the header and close the file."""
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
    """A .npy file that is memory-mapped for searches and read in slices for merges.

    array: the whole array, mapped and read-only.
    mapping: the memory map of the file.
    offset: byte offset of element 0 of the array in the file.
    """

    def __init__(self, path: Path, *types: type[T], dimensions: int = 1) -> None:
        """Raises ValueError unless the dtype is in `types` and the array has `dimensions` axes."""
        mapped: np.memmap[Any, np.dtype[T]] = load(path, mapped=True)
        if mapped.dtype not in types or mapped.ndim != dimensions:
            wanted = " or ".join(np.dtype(one).name for one in types)
            raise ValueError(
                f"{path.name} must be an array of {wanted} with {dimensions} axes, "
                f"got an array of {mapped.dtype} with {mapped.ndim} axes"
            )
        self._path = path
        self.offset = mapped.offset
        self.mapping: mmap = mapped._mmap  # type: ignore[attr-defined]
        self.array: NDArray[T] = mapped.view(np.ndarray)

    def __len__(self) -> int:
        return len(self.array)

    def read(self, start: int, stop: int) -> NDArray[T]:
        """Return a copy of elements (or rows) `start` to `stop` (exclusive), read from the file.

        Does not use the memory map, because pages read through it count as memory of the process.
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
        """Raise ValueError unless all elements are at least 0 and below `end`."""
        # Viewed as unsigned, negative numbers become the largest ones.
        unsigned = np.dtype(f"u{self.array.itemsize}")
        for start in range(0, len(self), _CHECKED):
            block = self.read(start, min(start + _CHECKED, len(self)))
            if block.view(unsigned).max() >= end:
                wrong = block[block.view(unsigned) >= end][0]
                raise ValueError(
                    f"the numbers in {self._path.name} must be at least 0 and below {end}, "
                    f"got {wrong}"
                )

    def check_ascending(self, *, strictly: bool = False) -> None:
        """Raise ValueError unless the elements ascend.

        strictly: True: reject equal neighbours too.
        """
        for start in range(0, len(self) - 1, _CHECKED):
            block: NDArray[Any] = self.read(start, min(start + _CHECKED + 1, len(self)))
            wrong = block[1:] <= block[:-1] if strictly else block[1:] < block[:-1]
            if wrong.any():
                raise ValueError(
                    f"the numbers in {self._path.name} must ascend, "
                    f"got {block[1:][wrong][0]} after {block[:-1][wrong][0]}"
                )

    def check_offsets(self, pieces: int, end: int, *, empty: bool = True) -> None:
        """Raise ValueError unless the array contains the offsets of `pieces` consecutive pieces.

        Piece i is the range from offset i to offset i + 1 (exclusive). The array must therefore
        have pieces + 1 ascending offsets, from 0 to `end`.

        empty: True: accept pieces of length 0.
        """
        if len(self) == 0 or len(self) != pieces + 1 or self.array[0] != 0 or self.array[-1] != end:
            raise ValueError(
                f"{self._path.name} must have {pieces + 1} offsets that begin with [0] and end "
                f"with [{end}], got {len(self)} offsets that begin with {self.array[:1]} and end "
                f"with {self.array[-1:]}"
            )
        self.check_ascending(strictly=not empty)


def load(path: Path, *, mapped: bool = False) -> Any:
    """Return the array of a .npy file.

    mapped: True: return a read-only memory map. False: load the array into memory.

    Raises OSError if the file cannot be read, and ValueError if it is damaged.
    """
    try:
        return np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (SyntaxError, TokenError, EOFError, OverflowError, MemoryError) as error:
        # numpy raises these for a damaged header, whose shape can be any number.
        raise ValueError(f"{path.name} is not a readable .npy file ({error})") from error


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array to a .npy file."""
    np.save(path, array, allow_pickle=False)
