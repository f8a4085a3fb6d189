"""The codes (compressed token vectors) in a memory-mapped file, and the codec that decodes them."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.npy import NpyFile
from ..arrays.vectors import Vectors
from ..codecs import Codec
from ..codecs.projection import Projection
from .built import Built


@dataclass(frozen=True, slots=True)
class CodedVectors:
    """The codes (compressed vectors) of a leg in one segment, and what is needed to decode them.

    codes: memory-mapped codes, uint8 [vectors, bytes per code].
    codec: decodes a code to a vector, which is still projected.
    projection: the projection of the vectors; None: they are not projected.
    built: the content of storage.json.
    """

    codes: NpyFile[np.uint8]
    codec: Codec
    projection: Projection | None
    built: Built

    @property
    def width(self) -> int:
        """Number of dimensions of a vector after the projection. See `maxsim.Rows`."""
        return self.codec.width

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """Start reading the rows starts[i] to stops[i] (exclusive) from disk, for each i.

        See `Rows.expect`.
        """
        row, page = self.codes.array.shape[1], mmap.PAGESIZE
        firsts = (self.codes.offset + starts * row) // page * page
        ends = np.minimum(self.codes.offset + stops * row, len(self.codes.mapping))
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
            self.codes.mapping.madvise(mmap.MADV_WILLNEED, first, end - first)

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """Return the vectors with these row numbers, float32 [n, width]. See `Rows.vectors`."""
        return self.codec.decode(self.codes.array[rows])

    def decodes_equally(self, other: CodedVectors) -> bool:
        """Return True if equal codes in this part and in `other` decode to equal vectors."""
        if type(self.codec) is not type(other.codec):
            return False  # Codecs without fitted arrays differ only by type.
        one, two = self._fitted(), other._fitted()
        return one.keys() == two.keys() and all(
            np.array_equal(one[name], two[name]) for name in one
        )

    def _fitted(self) -> dict[str, NDArray[Any]]:
        """Return name -> array for the fitted arrays of codec and projection."""
        axes = {} if self.projection is None else {"axes": self.projection.axes}
        return {**axes, **self.codec.fitted}

    def decoded(self, codes: NDArray[np.uint8]) -> Vectors:
        """Return the decoded vectors of n codes, float32 [n, d], with the projection undone."""
        decoded = self.codec.decode(codes)
        return decoded if self.projection is None else self.projection.lift(decoded)
