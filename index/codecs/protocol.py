"""The protocol of codecs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors

Codes = NDArray[np.uint8]


class Codec(Protocol):
    """Encodes vectors in fewer bytes. Fitted once on a sample, then immutable.

    A decoded vector has the length of the original: a code ends with a scale that restores the
    length, unless the codec is lossless. Without the scale, recall is up to 0.02 lower.

    width: number of dimensions of a vector. stride: bytes per code.
    """

    @property
    def width(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def fitted(self) -> Mapping[str, Vectors]:
        """Fitted arrays by name. Codecs of one kind with equal arrays decode codes equally."""

    def encode(self, vectors: Vectors) -> Codes:
        """Encode vectors: float32 [n, width] -> uint8 [n, stride]."""

    def decode(self, codes: Codes) -> Vectors:
        """Decode codes: uint8 [n, stride] -> float32 [n, width]. Restores the original lengths."""

    def score(self, queries: Vectors, codes: Codes) -> Vectors:
        """Return the inner products of queries and coded vectors, float32 [q, n].

        queries: float32 [q, width]. codes: uint8 [n, stride]. Equals `queries @ decode(codes).T` up
        to rounding, but does not decode all codes at once.
        """

    def score_lists(
        self,
        queries: Vectors,
        codes: Codes,
        starts: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Vectors:
        """Return the inner products of a few queries with lists of codes, float32 [q, sum(counts)].

        queries: float32 [q, width]. codes: a buffer, uint8 [bytes]. List i is counts[i] consecutive
        codes from byte starts[i]; starts need no alignment. Raises IndexError for a list that is
        not inside the buffer.
        """

    def save(self, path: Path) -> None:
        """Write the fitted arrays and the width to a .npz file, without pickle."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a codec that `save` wrote. Raises ValueError for a file of another codec."""
