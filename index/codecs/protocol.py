"""What every codec offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors

Codes = NDArray[np.uint8]


class Codec(Protocol):
    """Vectors as fewer bytes. Fitted on a sample once, immutable from then on.

    What is lost is made up for in length: a decoded vector is as long as the one that was encoded
    (its code ends with what it must be multiplied by, unless nothing is lost). A search that does
    without loses up to 2 points of recall.

    width: dimensions of a vector. stride: bytes of a code.
    """

    @property
    def width(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def fits(self) -> Mapping[str, Vectors]:
        """What was fitted: codecs of one kind with equal arrays mean the same by a code."""

    def encode(self, vectors: Vectors) -> Codes:
        """float32 [n, width] -> uint8 [n, stride]."""

    def decode(self, codes: Codes) -> Vectors:
        """uint8 [n, stride] -> float32 [n, width], of the lengths that were encoded."""

    def score(self, queries: Vectors, codes: Codes) -> Vectors:
        """Inner products of float32 queries with coded vectors: [q, width], [n, stride] -> [q, n].

        The same as `queries @ decode(codes).T` up to rounding, without decoding all at once.
        """

    def score_lists(
        self,
        queries: Vectors,
        codes: Codes,
        starts: NDArray[np.int64],
        counts: NDArray[np.int64],
    ) -> Vectors:
        """The same for codes in pieces of one buffer, for a few queries: float32 [q, width],
        uint8 [bytes] -> [q, sum of counts].

        Piece i is counts[i] codes from byte starts[i], one after another; starts need no alignment.
        Raises IndexError for a piece that is not inside the buffer.
        """

    def save(self, path: Path) -> None:
        """Write what was fitted, and the width, as one .npz without pickle."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """The inverse of `save`. Raises ValueError for a file that is not of this codec."""
