"""Dense vectors that count the trigrams of a text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from twindex.core import Representation, Role
from twindex.core.bounds import Bounds
from twindex.encoders import EncoderConfig, Gives


class TrigramConfig(EncoderConfig):
    """Counts of the hashed trigrams of a text."""

    made_by = ".encoder:TrigramEncoder"
    gives = frozenset({"dense"})
    models = {}  # noqa: RUF012

    kind: Literal["trigram"] = "trigram"
    width: Annotated[int, Bounds(8, 4_096)] = 256
    """Dimensions of a vector."""


class TrigramEncoder:
    """An Encoder that counts hashed trigrams."""

    def __init__(self, config: TrigramConfig) -> None:
        self._width = config.width

    @property
    def gives(self) -> frozenset[Gives]:
        return frozenset({"dense"})

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"kind": "trigram", "width": self._width}

    def encode(
        self, texts: Sequence[str], *, role: Role, advance: Callable[[int], None] | None = None
    ) -> Representation:
        dense = np.stack([self._vector(text) for text in texts])
        if advance is not None:
            advance(len(texts))
        return Representation(dense=dense)

    def term(self, index: int) -> str:
        raise ValueError("the dimensions have no names")

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector = np.zeros(self._width, np.float32)
        padded = f"  {text.lower()} "
        for start in range(len(padded) - 2):
            vector[crc32(padded[start : start + 3].encode()) % self._width] += 1
        return vector / np.linalg.norm(vector)
