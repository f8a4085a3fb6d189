"""Pieces of one array after another: piece i is the elements offsets[i] to offsets[i + 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Offsets = NDArray[np.int64]
"""int64 [pieces + 1], ascending from 0 to the number of elements."""


def of_lengths(lengths: NDArray[Any] | Sequence[int]) -> Offsets:
    """The offsets of pieces of these lengths."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ranges(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers starts[i] to stops[i] (exclusive) for each i, one after another."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def fitting(offsets: Offsets, first: int, room: int) -> int:
    """The last piece (exclusive) such that the pieces from `first` on hold `room` elements.

    One piece always fits.
    """
    last = int(np.searchsorted(offsets, offsets[first] + room, side="right")) - 1
    return min(max(last, first + 1), len(offsets) - 1)
