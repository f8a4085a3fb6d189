"""The protocol of encoders that return one vector for each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core import Representation, Role
from ..protocol import CountingEncoder


class TokenEncoder(CountingEncoder, Protocol):
    """An encoder that returns one vector for each token of a text."""

    dimensions: int

    def encode_tokens(
        self, texts: Sequence[str], *, role: Role
    ) -> tuple[Representation, list[list[str]]]:
        """Return the vectors of `texts`, and for each text the tokens that its vectors represent.

        The list of tokens is empty for a text whose vectors were merged.
        """


def concatenate(
    vectors: Sequence[NDArray[np.float32]], truncated: NDArray[np.bool_], dimensions: int
) -> Representation:
    """Return the vectors of several texts as one Representation.

    vectors:   for each text, float32 [number of vectors, dimensions], with at least one vector.
    truncated: True for each text that was truncated: bool [texts].
    """
    dense = np.concatenate([np.empty((0, dimensions), np.float32), *vectors])
    offsets = np.zeros(len(vectors) + 1, np.int64)
    np.cumsum([len(own) for own in vectors], out=offsets[1:])
    return Representation(dense=dense, truncated=truncated, offsets=offsets)
