"""An array that one thread appends to while other threads read."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class GrowingArray(Generic[T]):
    """An array of elements, or of matrix rows, with appends in amortised constant time.

    Only one thread may append. values: a view of the elements so far. A view that a reader holds
    stays valid and unchanged: elements never move in place, and growth allocates a new array.
    """

    def __init__(self, dtype: type[T], columns: int | None = None) -> None:
        """columns: second dimension of a matrix; None for a vector."""
        tail = () if columns is None else (columns,)
        self._room: NDArray[T] = np.empty((0, *tail), dtype=dtype)
        self.values = self._room

    def __len__(self) -> int:
        return len(self.values)

    def append(self, values: NDArray[Any]) -> None:
        """Add elements at the end."""
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
