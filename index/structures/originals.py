"""The original vectors of a segment, on disk. Used for rescoring, exact search and merging.

vectors.npy  float16 or float32 [rows, d]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.npy import NpyFile, NpyWriter
from ..arrays.prefetch import prefetch
from ..arrays.vectors import Stored, Vectors, VectorSource
from ..codecs.projection import Projection

FILE = "vectors.npy"

LARGEST_HALF = 65_504.0
"""Largest finite float16."""
LEAST_HALF = 2.0**-14
"""Smallest normal float16. Vectors with only smaller numbers would lose precision as float16."""


class Originals:
    """Original vectors: a VectorSource over a matrix in memory or in a mapped file."""

    def __init__(
        self,
        array: Stored,
        file: NpyFile[Any] | None = None,
        *,
        cold: bool = False,
    ) -> None:
        """Create a source of the rows of a matrix.

        array: float16 or float32 [rows, d].
        file: the .npy file that `array` maps; None: the array is in memory.
        cold: True if rows are usually on disk only; `expect` then prefetches them.
        """
        self.array = array
        self.width = int(array.shape[1])
        """Number of dimensions of a vector."""
        self._file = file
        self._cold = cold

    @classmethod
    def open(cls, directory: Path, *, cold: bool = False) -> Self:
        """Map vectors.npy in `directory`.

        cold: True if rows are usually on disk only; `expect` then prefetches them.

        Raises OSError if the file cannot be read, and ValueError if it is damaged.
        """
        file: NpyFile[Any] = NpyFile(directory / FILE, np.float16, np.float32, dimensions=2)
        return cls(file.array, file, cold=cold)

    def __len__(self) -> int:
        return len(self.array)

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of vectors `start` to `stop` (exclusive), float32 [stop - start, width].

        See `VectorSource.read`.
        """
        rows = self.array[start:stop] if self._file is None else self._file.read(start, stop)
        return rows.astype(np.float32, copy=self._file is None)

    def expect(self, rows: NDArray[np.int64]) -> None:
        """Prefetch rows that will be read next, if the vectors are `cold`. Row -1 is ignored."""
        if self._cold and self._file is not None:
            row_bytes = self.width * self.array.itemsize
            prefetch(self._file.mapping, self._file.offset, row_bytes, rows)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return a copy of the vectors with numbers `rows`, in that order, float32 [n, width].

        See `VectorSource.take`.
        """
        return self.array[rows].astype(np.float32)


class Projected:
    """A VectorSource that projects the vectors of another source when they are read."""

    def __init__(self, vectors: VectorSource, projection: Projection) -> None:
        self._vectors = vectors
        self._projection = projection
        self.width = projection.width
        """Number of dimensions after the projection."""

    def __len__(self) -> int:
        return len(self._vectors)

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of vectors `start` to `stop` (exclusive), float32 [stop - start, width].

        See `VectorSource.read`.
        """
        return self._projection.apply(self._vectors.read(start, stop))

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return a copy of the vectors with numbers `rows`, in that order, float32 [n, width].

        See `VectorSource.take`.
        """
        return self._projection.apply(self._vectors.take(rows))


def write(
    directory: Path, blocks: Callable[[], Iterable[Vectors]], width: int, *, half: bool
) -> None:
    """Write vectors.npy into `directory`.

    blocks: returns all vectors in blocks, float32 [n, width]; may be called twice.
    half:   True: store float16 if no vector would overflow or lose too much precision, else
            float32. False: store float32.
    """
    if half:
        with NpyWriter(directory / FILE, np.float16, columns=width) as writer:
            for block in blocks():
                largest = np.abs(block).max(axis=1, initial=0)
                if ((largest > LARGEST_HALF) | ((largest > 0) & (largest < LEAST_HALF))).any():
                    break
                writer.append(block)
            else:
                return
    with NpyWriter(directory / FILE, np.float32, columns=width) as writer:
        for block in blocks():
            writer.append(block)


def random_rows(rows: int, wanted: int, seed: int) -> NDArray[np.int64]:
    """Return up to `wanted` random row numbers below `rows`, int64, distinct and ascending."""
    if rows <= wanted:
        return np.arange(rows, dtype=np.int64)
    chosen = np.random.default_rng(seed).choice(rows, wanted, replace=False)
    return np.sort(chosen).astype(np.int64)
