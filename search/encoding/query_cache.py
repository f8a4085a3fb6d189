"""Encoded queries that are remembered, within so many bytes for the whole process."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from ...core import Representation, Usage
from ...encoders import EncoderConfig

LIMIT_BYTES = 64 << 20
"""What all remembered queries of a process may take together."""

ENTRY_BYTES = 1_024
"""Counted for each entry beside its arrays: keys and objects."""

TERM_BYTES = 150
"""Counted for each term of a text beside its characters."""

Key = tuple[object, EncoderConfig, bytes]
"""Who remembers it, the encoder and the digest of the text: what decides a representation. A text
is never kept, however long it is."""


class QueryCache:
    """The latest used representations of queries, by bytes. Thread-safe."""

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self.limit = limit
        self._known: OrderedDict[Key, tuple[Representation, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    @property
    def size(self) -> int:
        """Bytes that are counted."""
        return self._bytes

    def get(
        self, key: Key, leave: Callable[[Representation], Representation] | None = None
    ) -> Representation | None:
        """What is remembered; `leave` makes what the next one finds, of the same size."""
        with self._lock:
            found = self._known.get(key)
            if found is None:
                return None
            self._known.move_to_end(key)
            if leave is not None:
                self._known[key] = leave(found[0]), found[1]
            return found[0]

    def put(self, key: Key, value: Representation) -> None:
        """Remember it, and forget what was not used for longest until there is room."""
        size = size_of(value)
        with self._lock:
            self._forget(key)
            if size > self.limit:
                return
            self._known[key] = value, size
            self._bytes += size
            while self._bytes > self.limit:
                self._forget(next(iter(self._known)))

    def forget(self, owner: object) -> None:
        """Forget all that one owner remembers."""
        with self._lock:
            for key in [key for key in self._known if key[0] is owner]:
                self._forget(key)

    def _forget(self, key: Key) -> None:
        found = self._known.pop(key, None)
        if found is not None:
            self._bytes -= found[1]


REMEMBERED = QueryCache()
"""The one of this process."""


def digest(text: str) -> bytes:
    """Of a text, which may have lone surrogates."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def size_of(value: Representation) -> int:
    """Bytes of a representation and its key."""
    size = ENTRY_BYTES
    for array in (value.dense, value.offsets, value.truncated):
        size += 0 if array is None else array.nbytes
    if value.sparse is not None:
        sparse = value.sparse
        size += sparse.data.nbytes + sparse.indices.nbytes + sparse.indptr.nbytes
    for counts in value.terms or ():
        size += sum(TERM_BYTES + len(term) for term in counts)
    return size


def alone(value: Representation) -> Representation:
    """The same in memory of its own: a row of a batch would keep the whole batch."""
    dense = None if value.dense is None else value.dense.copy()
    truncated = None if value.truncated is None else value.truncated.copy()
    return replace(value, dense=dense, truncated=truncated)


HIT = Usage(cache_hits=1)
"""Of a query that is remembered."""


def remembered(found: Representation) -> Representation:
    """As it is for those who find it again: they need no call."""
    return found if found.usage is None else replace(found, usage=HIT)
