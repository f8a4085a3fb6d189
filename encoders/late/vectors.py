"""Texts with several vectors each, as a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core import Representation, Role
from ..protocol import CountingEncoder


class TokenEncoder(CountingEncoder, Protocol):
    """An encoder that gives a text a vector for each of its tokens."""

    dimensions: int

    def encode_tokens(
        self, texts: Sequence[str], *, role: Role
    ) -> tuple[Representation, list[list[str]]]:
        """As `encode`, and the token of each vector; a text whose vectors are not of one token each
        has no tokens."""


def joined(
    vectors: Sequence[NDArray[np.float32]], truncated: NDArray[np.bool_], dimensions: int
) -> Representation:
    """A batch of texts, each of at least one vector."""
    dense = np.concatenate([np.empty((0, dimensions), np.float32), *vectors])
    offsets = np.zeros(len(vectors) + 1, np.int64)
    np.cumsum([len(own) for own in vectors], out=offsets[1:])
    return Representation(dense=dense, truncated=truncated, offsets=offsets)
