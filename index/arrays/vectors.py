"""Vectors in memory, and vectors that are read piece by piece from wherever they are."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""float32 [n, width], a vector in each row."""

Stored = NDArray[np.float16] | NDArray[np.float32]
"""The same as they may lie on disk."""


class VectorSource(Protocol):
    """Vectors that are read piece by piece. `len` is their number."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int:
        """Dimensions of a vector."""

    def read(self, start: int, stop: int) -> Vectors:
        """A copy of some, float32 [stop - start, width]."""

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """A copy of those with these numbers, in their order."""
