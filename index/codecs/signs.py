"""A codec with one bit per dimension."""

from __future__ import annotations

import numpy as np

from ..arrays.vectors import Vectors
from . import kernels
from .protocol import Codes
from .scalar import Unfitted


class Binary(Unfitted):
    """Stores the sign of each dimension: +1 above 0, else -1. Needs no fitting."""

    kind = "binary"
    cell = kernels.BITS
    planes = 8
    lowest, factor = -1.0, 2.0

    def _cells_of(self, vectors: Vectors) -> Codes:
        bits = self._padded(vectors > 0).reshape(len(vectors), 8, self._cells)
        return np.packbits(bits, axis=1, bitorder="little").reshape(len(vectors), self._cells)
