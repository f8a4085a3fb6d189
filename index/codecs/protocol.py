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
    """Encodes vectors in fewer bytes. A codec is fitted once on a sample and then immutable.

    A code is one encoded vector. Unless the codec is lossless, a code ends with a scale, with which
    `decode` restores the length of the original vector. Without the scale, recall is up to 0.02
    lower.

    width:  number of dimensions of a vector.
    stride: bytes per code.
    """

    @property
    def width(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def fitted(self) -> Mapping[str, Vectors]:
        """Fitted arrays by name. Codecs of one kind with equal arrays decode codes identically."""

    def encode(self, vectors: Vectors) -> Codes:
        """Encode vectors: float32 [n, width] -> uint8 [n, stride]."""

    def decode(self, codes: Codes) -> Vectors:
        """Decode codes: uint8 [n, stride] -> float32 [n, width], with the original lengths."""

    def score(self, queries: Vectors, codes: Codes) -> Vectors:
        """Return the inner products of queries and encoded vectors, float32 [q, n].

        queries: float32 [q, width].
        codes:   uint8 [n, stride].

        The result equals `queries @ decode(codes).T` up to rounding, but the codes are never all
        decoded at once.
        """

    def score_lists(
        self,
        queries: Vectors,
        codes: Codes,
        starts: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Vectors:
        """Return the inner products of a few queries with lists of codes, float32 [q, sum(counts)].

        queries: float32 [q, width].
        codes:   a buffer, uint8 [bytes]. List i has counts[i] codes, one after another from byte
                 starts[i]. Starts need no alignment.

        Raises IndexError for a list that is not inside the buffer.
        """

    def save(self, path: Path) -> None:
        """Write the fitted arrays and the width to a .npz file, without pickle."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load a codec that `save` wrote. Raises ValueError for a file of another codec."""
