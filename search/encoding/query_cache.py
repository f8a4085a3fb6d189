"""The cache of encoded queries, which all collections of a process share."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b

from ...core import Representation, Usage
from ...encoders import EncoderConfig

LIMIT_BYTES = 64 << 20
"""Maximum total size in bytes of the cached queries of a process."""

ENTRY_BYTES = 1_024
"""Estimated size in bytes of a cache entry, without the data of its arrays."""

TERM_BYTES = 150
"""Estimated size in bytes of a query term in the cache, without the term's characters."""

Key = tuple[object, EncoderConfig, bytes]
"""Cache key: object that identifies the collection, encoder, and digest of the query text."""


class QueryCache:
    """A cache of encoded queries that drops the least recently used ones. Thread-safe.

    limit: maximum total size of the entries, in bytes.
    """

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        self.limit = limit
        self._entries: OrderedDict[Key, tuple[Representation, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """Return the total size of the entries, in bytes."""
        return self._bytes

    def get(
        self, key: Key, replace_with: Callable[[Representation], Representation] | None = None
    ) -> Representation | None:
        """Return the representation cached under a key, or None if there is none.

        replace_with: function that receives the cached representation and returns the one that
            later calls get instead. Both must have the same size.
        """
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            if replace_with is not None:
                self._entries[key] = replace_with(found[0]), found[1]
            return found[0]

    def put(self, key: Key, value: Representation) -> None:
        """Cache a representation. Drop the least recently used entries while over the limit."""
        size = size_of(value)
        with self._lock:
            self._remove(key)
            if size > self.limit:
                return
            self._entries[key] = value, size
            self._bytes += size
            while self._bytes > self.limit:
                self._remove(next(iter(self._entries)))

    def forget(self, owner: object) -> None:
        """Remove all entries with `owner` as the first item of their key; see `Key`."""
        with self._lock:
            for key in [key for key in self._entries if key[0] is owner]:
                self._remove(key)

    def _remove(self, key: Key) -> None:
        found = self._entries.pop(key, None)
        if found is not None:
            self._bytes -= found[1]


QUERY_CACHE = QueryCache()
"""The query cache of this process."""


def digest(text: str) -> bytes:
    """Return a digest of 16 bytes. The text may contain unpaired surrogates."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def size_of(value: Representation) -> int:
    """Return the estimated size, in bytes, of a cache entry with this representation."""
    size = ENTRY_BYTES
    for array in (value.dense, value.offsets, value.truncated):
        size += 0 if array is None else array.nbytes
    if value.sparse is not None:
        sparse = value.sparse
        size += sparse.data.nbytes + sparse.indices.nbytes + sparse.indptr.nbytes
    for counts in value.terms or ():
        size += sum(TERM_BYTES + len(term) for term in counts)
    return size


def copy_row(value: Representation) -> Representation:
    """Return a copy of one row of a batch that does not share memory with the batch.

    Without the copy, a cached row would keep the arrays of the whole batch in memory.
    """
    dense = None if value.dense is None else value.dense.copy()
    truncated = None if value.truncated is None else value.truncated.copy()
    return replace(value, dense=dense, truncated=truncated)


CACHE_HIT = Usage(cache_hits=1)
"""Usage of a query that is found in the cache."""


def as_cache_hit(found: Representation) -> Representation:
    """Return a copy of `found` whose usage is one cache hit; `found` itself if it has no usage."""
    return found if found.usage is None else replace(found, usage=CACHE_HIT)
