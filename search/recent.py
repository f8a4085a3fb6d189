"""A cache that keeps the most recently used values, up to a total size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A cache that drops the least recently used values. Thread-safe.

    limit:   maximum total size of the values. A larger value is not kept.
    size_of: function that returns the size of a value, in the unit of `limit`.
    """

    def __init__(self, limit: int, size_of: Callable[[V], int]) -> None:
        self.limit = limit
        self._size_of = size_of
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Return the total size of the values."""
        return self._size

    def get(self, key: K, replace_with: Callable[[V], V] | None = None) -> V | None:
        """Return the value of a key, or None if there is none.

        replace_with: function that receives the value and returns a new value of the same size.
            This call returns the old value. Later calls return the new value.
        """
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            if replace_with is not None:
                self._entries[key] = replace_with(found[0]), found[1]
            return found[0]

    def put(self, key: K, value: V) -> None:
        """Keep a value, and drop the least recently used ones that exceed the limit."""
        size = self._size_of(value)
        with self._lock:
            self._remove(key)
            if size > self.limit:
                return
            self._entries[key] = value, size
            self._size += size
            while self._size > self.limit:
                self._remove(next(iter(self._entries)))

    def pop(self, key: K) -> V | None:
        """Remove the value of a key and return it; None if there is none."""
        with self._lock:
            return self._remove(key)

    def drop(self, matches: Callable[[K], bool]) -> None:
        """Remove the values of all keys for which a function returns True."""
        with self._lock:
            for key in [key for key in self._entries if matches(key)]:
                self._remove(key)

    def _remove(self, key: K) -> V | None:
        found = self._entries.pop(key, None)
        if found is None:
            return None
        self._size -= found[1]
        return found[0]


def digest(text: str) -> bytes:
    """Return a digest of 16 bytes. The text may contain unpaired surrogates."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
