"""The cache of encoded queries, which all collections of a process share."""

from __future__ import annotations

from dataclasses import replace

from ...core import Representation, Usage
from ...encoders import EncoderConfig
from ..recent import Recent

LIMIT_BYTES = 64 << 20
"""Maximum total size in bytes of the cached queries of a process."""

ENTRY_BYTES = 1_024
"""Estimated size in bytes of a cache entry, without the data of its arrays."""

TERM_BYTES = 150
"""Estimated size in bytes of a query term in the cache, without the term's characters."""

Key = tuple[object, EncoderConfig, bytes]
"""Cache key: object that identifies the collection, encoder, and digest of the query text."""


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


class QueryCache(Recent[Key, Representation]):
    """A cache of encoded queries that drops the least recently used ones. Thread-safe.

    limit: maximum total size of the entries, in bytes.
    """

    def __init__(self, limit: int = LIMIT_BYTES) -> None:
        super().__init__(limit, size_of)

    def forget(self, owner: object) -> None:
        """Remove all entries whose key starts with the object `owner`; see `Key`."""
        self.drop(lambda key: key[0] is owner)


QUERY_CACHE = QueryCache()
"""The query cache of this process."""


def copy_row(value: Representation) -> Representation:
    """Copy one row of a batch. The copy does not share memory with the batch.

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
