"""An array that one thread appends to while other threads read."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class GrowingArray(Generic[T]):
    """An array of elements, or of matrix rows, with appends in amortised constant time.

    Only one thread may append. Other threads may read `values` at the same time.

    values: numpy view of the elements appended so far. A view that a thread has read never changes:
    each append replaces `values` with a longer view.
    """

    def __init__(self, dtype: type[T], columns: int | None = None) -> None:
        """columns: number of columns of a matrix; None for a one-dimensional array."""
        tail = () if columns is None else (columns,)
        self._room: NDArray[T] = np.empty((0, *tail), dtype=dtype)
        self.values = self._room

    def __len__(self) -> int:
        return len(self.values)

    def append(self, values: NDArray[Any]) -> None:
        """Append elements [n], or matrix rows [n, columns]."""
        before = len(self)
        length = before + len(values)
        if length > len(self._room):
            room = np.empty(
                (max(length, 2 * len(self._room)), *self._room.shape[1:]), self._room.dtype
            )
            room[:before] = self.values
            self._room = room
        self._room[before:length] = values
        self.values = self._room[:length]  # One assignment: a reader sees all new elements or none.
