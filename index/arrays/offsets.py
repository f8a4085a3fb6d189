"""Consecutive pieces of an array: piece i is offsets[i] to offsets[i + 1] (exclusive)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
"""int64 [pieces + 1], ascending from 0 to the number of elements in all pieces."""


def of_lengths(lengths: NDArray[Any] | Sequence[int]) -> Offsets:
    """Return the offsets of consecutive pieces with these lengths, int64 [pieces + 1]."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the integers from starts[i] to stops[i] (exclusive) for each i, concatenated."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def block_end(offsets: Offsets, first: int, room: int) -> int:
    """Return the largest `last` such that pieces `first` to `last` (exclusive) fit into `room`.

    room: maximum number of elements of these pieces together. At least one piece is included, even
    if it does not fit.
    """
    last = int(np.searchsorted(offsets, offsets[first] + room, side="right")) - 1
    return min(max(last, first + 1), len(offsets) - 1)
