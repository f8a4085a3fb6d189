"""Types of vectors in memory, and a protocol for reading vectors in pieces."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""float32 [n, width]: one vector per row."""

Stored = NDArray[np.float16] | NDArray[np.float32]
"""Vectors as stored on disk: float16 or float32 [n, width]."""


class VectorSource(Protocol):
    """A source of vectors that are read in pieces. `len` is the number of vectors."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int:
        """Number of dimensions of a vector."""

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of vectors `start` to `stop` (exclusive), float32 [stop - start, width]."""

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return a copy of the vectors with numbers `rows`, in that order, float32 [n, width]."""
