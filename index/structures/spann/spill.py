"""Scratch files with the entries of lists. Each file covers a range of lists.

An entry stands for one vector in one list, and contains the encoded vector (its code). The build
therefore reads each vector only once, in order.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ...codecs.protocol import Codes
from .closure import Lists

Entries = NDArray[np.void]


def entry_type(stride: int) -> np.dtype[np.void]:
    """Return the dtype of an entry: one vector in one list.

    stride: bytes per code. Field `nearest` is 1 if the list belongs to the nearest head.
    """
    return np.dtype(
        [
            ("list", "<i4"),
            ("row", "<i4"),
            ("distance", "<f4"),
            ("nearest", "u1"),
            ("code", "u1", (stride,)),
        ]
    )


def is_complete(directory: Path, sizes: Sequence[int]) -> bool:
    """Return True if all scratch files exist with at least the sizes that `Spill.sync` returned."""
    paths = [_path(directory, file) for file in range(len(sizes))]
    return all(
        path.exists() and path.stat().st_size >= size
        for path, size in zip(paths, sizes, strict=True)
    )


def _path(directory: Path, file: int) -> Path:
    return directory / f"entries-{file:04}"


class Spill:
    """The scratch files of a build. `len` is the number of files.

    Each file has the entries of a range of lists: list n is in file n * files // lists, with the
    total numbers of files and lists. Creates `directory` if it is missing.
    """

    def __init__(self, directory: Path, lists: int, files: int, stride: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._paths = [_path(directory, file) for file in range(files)]
        self._lists = lists
        self._type = entry_type(stride)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def entry_bytes(self) -> int:
        """Bytes per entry in a file."""
        return self._type.itemsize

    def bounds(self, file: int) -> tuple[int, int]:
        """Return the first list of scratch file `file`, and the first list of the next file."""
        files = len(self._paths)
        return -(-file * self._lists // files), -(-(file + 1) * self._lists // files)

    def append(self, first: int, lists: Lists, distances: Vectors, codes: Codes) -> None:
        """Append the entries of rows `first`, `first` + 1, ... to the scratch files.

        lists, distances: results of `closure.assign`.
        codes: uint8 [n, stride].
        """
        rows, ranks = np.nonzero(lists >= 0)
        chosen = lists[rows, ranks]
        files = chosen * len(self._paths) // self._lists
        order = np.argsort(files, kind="stable")
        rows, ranks, chosen = rows[order], ranks[order], chosen[order]
        entries = np.empty(len(rows), dtype=self._type)
        entries["list"] = chosen
        entries["row"] = rows + first
        entries["distance"] = distances[rows, ranks]
        entries["nearest"] = ranks == 0
        entries["code"] = codes[rows]
        ends = np.cumsum(np.bincount(files, minlength=len(self._paths)))
        for path, part in zip(self._paths, np.split(entries, ends[:-1]), strict=True):
            with path.open("ab") as file:
                part.tofile(file)

    def sync(self) -> list[int]:
        """Sync all files to disk. Return the size of each file in bytes."""
        sizes = []
        for path in self._paths:
            with path.open("ab") as file:
                os.fsync(file.fileno())
                sizes.append(file.tell())
        return sizes

    def truncate(self, sizes: Sequence[int]) -> None:
        """Truncate each file to its size in `sizes`, which `sync` returned."""
        for path, size in zip(self._paths, sizes, strict=True):
            with path.open("ab") as file:
                file.truncate(size)

    def read(self, file: int) -> Entries:
        """Return the entries of a file, sorted by list, `nearest` (1 first), distance and row."""
        entries: NDArray[Any] = np.fromfile(self._paths[file], dtype=self._type)
        order = np.lexsort(
            (entries["row"], entries["distance"], 1 - entries["nearest"], entries["list"])
        )
        return entries[order]
