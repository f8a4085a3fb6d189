"""Entries of lists on their way to the lists: scratch files, each for a range of lists.

An entry has its code with it, so that the vectors are read once and in order, and nothing is looked
up when lists are put together.
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
    """One vector in one list. nearest: the list is that of its nearest head."""
    return np.dtype(
        [
            ("list", "<i4"),
            ("row", "<i4"),
            ("distance", "<f4"),
            ("nearest", "u1"),
            ("code", "u1", (stride,)),
        ]
    )


def written(directory: Path, sizes: Sequence[int]) -> bool:
    """Whether the files are there, with at least the sizes that `Spill.sync` gave."""
    paths = [_path(directory, file) for file in range(len(sizes))]
    return all(
        path.exists() and path.stat().st_size >= size
        for path, size in zip(paths, sizes, strict=True)
    )


def _path(directory: Path, file: int) -> Path:
    return directory / f"entries-{file:04}"


class Spill:
    """Files in `directory`, which is made if need be. Lists of file f are those with
    list * files // lists == f."""

    def __init__(self, directory: Path, lists: int, files: int, stride: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._paths = [_path(directory, file) for file in range(files)]
        self._lists = lists
        self._type = entry_type(stride)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def entry_bytes(self) -> int:
        """Of one entry in a file."""
        return self._type.itemsize

    def bounds(self, file: int) -> tuple[int, int]:
        """The first list of a file, and the first of the next."""
        files = len(self._paths)
        return -(-file * self._lists // files), -(-(file + 1) * self._lists // files)

    def append(self, first: int, lists: Lists, distances: Vectors, codes: Codes) -> None:
        """Add the lists (padded with -1) of rows `first` and on, as `closure.close` gives them."""
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
        """Make what was appended durable, and give the size of each file in bytes."""
        sizes = []
        for path in self._paths:
            with path.open("ab") as file:
                os.fsync(file.fileno())
                sizes.append(file.tell())
        return sizes

    def truncate(self, sizes: Sequence[int]) -> None:
        """Go back to the sizes that `sync` gave."""
        for path, size in zip(self._paths, sizes, strict=True):
            with path.open("ab") as file:
                file.truncate(size)

    def read(self, file: int) -> Entries:
        """The entries of a file, by list; in a list the `nearest` ones first, then by distance and
        row."""
        entries: NDArray[Any] = np.fromfile(self._paths[file], dtype=self._type)
        order = np.lexsort(
            (entries["row"], entries["distance"], 1 - entries["nearest"], entries["list"])
        )
        return entries[order]
