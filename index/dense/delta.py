"""The in-memory part of a dense leg: the vectors of passages that are not in a segment yet.

The vectors are in a growing matrix, which is searched exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Representation
from ..arrays.growing import GrowingArray
from ..arrays.offsets import Offsets
from ..arrays.vectors import Vectors
from ..multi import ungrouped
from ..protocol import Mask, Ranking
from ..structures import exact
from . import maxsim
from .config import DenseLeg
from .termless import Termless


class DenseDelta(Termless):
    """The in-memory part of a dense leg with one vector per passage, for any kind of index.

    It contains the vectors of passages that are not in a segment yet.
    """

    def __init__(self, config: DenseLeg) -> None:
        self._vectors: GrowingArray[np.float32] | None = None

    def __len__(self) -> int:
        return 0 if self._vectors is None else len(self._vectors)

    def append(self, rows: Representation) -> None:
        """See DeltaPart. Raises ValueError if the dimensions differ from those of earlier rows."""
        vectors = exact.dense(rows)
        if len(vectors) == 0:
            return
        if self._vectors is None:
            self._vectors = GrowingArray(np.float32, columns=vectors.shape[1])
        width = self._vectors.values.shape[1]
        if vectors.shape[1] != width:
            raise ValueError(
                f"vectors must have {width} dimensions like earlier ones, got {vectors.shape[1]}"
            )
        self._vectors.append(vectors)

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """Return the rows with the numbers `keep`, in that order. See `DeltaPart.rows`."""
        return Representation(dense=self._values(width=0)[keep])

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of vectors `start` to `stop` (exclusive), float32 [stop - start, width].

        See `VectorSource.read`.
        """
        return self._values(width=0)[start:stop].copy()

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors of m rows, float32 [m, d], in the best precision that is stored.

        See `Dense.take`.
        """
        return self._values(width=0)[rows]

    def _values(self, width: int) -> Vectors:
        """Return the matrix of all vectors. Before the first append it is empty, [0, width]."""
        if self._vectors is None:
            return np.empty((0, width), dtype=np.float32)
        return self._vectors.values

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. Searches the first len(allowed) rows."""
        vectors = exact.dense(queries)
        known = self._values(vectors.shape[1])
        if allowed is not None:
            known = known[: len(allowed)]
        return exact.search(vectors, known, k, allowed)

    def max_sim(
        self, queries: Representation, offsets: Offsets, k: int, allowed: Mask | None
    ) -> Ranking:
        """Return the best k passages for each query. See `MaxSim.max_sim`."""
        single, bounds = ungrouped(queries)
        vectors = exact.dense(single)
        known = self._values(vectors.shape[1])
        return maxsim.search(vectors, bounds, maxsim.Matrix(known), offsets, k, allowed)

    @staticmethod
    def pack(rows: Representation) -> list[bytes]:
        """See DeltaPart. Packs little-endian float32.

        Raises InvalidInputError for NaN, infinity and numbers that are too large to index.
        """
        return [vector.astype("<f4").tobytes() for vector in exact.storable(rows)]

    @staticmethod
    def unpack(packed: Sequence[bytes]) -> Representation:
        """See DeltaPart. Raises ValueError if the vectors differ in dimensions."""
        width = len(packed[0]) // 4 if packed else 0
        if any(len(data) != 4 * width for data in packed):
            raise ValueError(
                f"expected packed vectors of {width} dimensions like the first one, found another "
                "length"
            )
        joined = np.frombuffer(b"".join(packed), dtype="<f4")
        return Representation(dense=joined.reshape(len(packed), width).astype(np.float32))
