"""An array that grows at the end while others read what they know of it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class GrowingArray(Generic[T]):
    """Elements, or rows of a matrix, appended in amortised constant time by one writer.

    values: a view of the elements so far. It stays valid and unchanged: elements are never moved
    in place, and a larger array is a new one.
    """

    def __init__(self, dtype: type[T], columns: int | None = None) -> None:
        """`columns` is the second dimension of a matrix; None for a vector."""
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
        self.values = self._room[:length]  # In one step: a reader sees all of them or none.
