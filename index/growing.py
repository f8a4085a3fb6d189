"""An array that grows at the end while others read what they know of it."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


class GrowingArray(Generic[T]):
    """Elements, or rows of a matrix, appended in amortised constant time by one writer.

    What `values` returned stays valid and unchanged: elements are never moved in place, and a
    larger array is a new one.
    """

    def __init__(self, dtype: type[T], columns: int | None = None) -> None:
        """`columns` is the second dimension of a matrix; None for a vector."""
        tail = () if columns is None else (columns,)
        self._room: NDArray[T] = np.empty((0, *tail), dtype=dtype)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> NDArray[T]:
        """A view of the elements so far."""
        return self._room[: self._length]

    def append(self, values: NDArray[Any]) -> None:
        """Add elements at the end."""
        length = self._length + len(values)
        if length > len(self._room):
            room = np.empty(
                (max(length, 2 * len(self._room)), *self._room.shape[1:]), self._room.dtype
            )
            room[: self._length] = self.values
            self._room = room
        self._room[self._length : length] = values
        self._length = length
