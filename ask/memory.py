"""A cache of recently used values, such as answers of a model, and digests of texts as its keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from hashlib import blake2b
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Memory(Generic[V]):
    """A cache that drops the least recently used values if it is full. Thread-safe.

    size:  maximum total weight of the values.
    weigh: function that returns the weight of a value, such as its size in bytes. None: every value
           has the weight 1, so `size` is a number of values.
    """

    def __init__(self, size: int, weigh: Callable[[V], int] | None = None) -> None:
        self._size = size
        self._weigh = weigh
        self._total = 0
        self._known: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V) -> None:
        weight = 1 if self._weigh is None else self._weigh(value)
        with self._lock:
            before = self._known.pop(key, None)
            self._total += weight - (0 if before is None else before[1])
            self._known[key] = value, weight
            while self._total > self._size:
                _, (_, dropped) = self._known.popitem(last=False)
                self._total -= dropped


def digest(text: str) -> bytes:
    """Return a digest of a text (16 bytes), which a cache uses as a key instead of the text."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
