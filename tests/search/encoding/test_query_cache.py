"""The query cache: limited in bytes for the whole process, without texts."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from twindex.core import Representation
from twindex.encoders import DenseEncoderConfig
from twindex.index import CollectionConfig
from twindex.search import Collection, SearchRequest
from twindex.search.encoding import query_cache as cache
from twindex.search.encoding.query_cache import ENTRY_BYTES, QueryCache, size_of
from twindex.search.recent import digest

CONFIG = CollectionConfig.parse(
    {"legs": {"d": {"kind": "dense", "encoder": {"model": "fake"}}, "l": {"kind": "lexical"}}}
)


def vector(size: int) -> Representation:
    return Representation(dense=np.zeros((1, size), np.float32))


def key(text: str, owner: object = None) -> Any:
    return owner, DenseEncoderConfig(), digest(text)


def test_the_least_recently_used_queries_are_dropped_first() -> None:
    known = QueryCache(limit=4 * (400 + ENTRY_BYTES))
    for name in "abcd":
        known.put(key(name), vector(100))
    assert known.get(key("a")) is not None
    known.put(key("e"), vector(100))
    assert known.get(key("b")) is None
    assert [known.get(key(name)) is not None for name in "acde"] == [True] * 4
    known.put(key("f"), vector(1_000))  # As large as three others.
    assert known.size <= known.limit
    assert known.get(key("f")) is not None
    known.put(key("g"), vector(1_000_000))  # Larger than the limit.
    assert known.get(key("g")) is None
    assert known.get(key("f")) is not None


def test_size_follows_added_replaced_and_removed_entries() -> None:
    known, owners = QueryCache(), [object(), object()]
    for owner in owners:
        for size in (10, 20):
            known.put(key("same", owner), vector(size))
    assert known.size == 2 * (80 + ENTRY_BYTES)
    known.forget(owners[0])
    assert (known.size, len(known)) == (80 + ENTRY_BYTES, 1)
    known.forget(owners[1])
    assert (known.size, len(known)) == (0, 0)


def test_every_part_of_a_representation_counts() -> None:
    sparse = csr_array(np.ones((1, 50), np.float32))
    whole = Representation(dense=np.zeros((3, 8), np.float32), sparse=sparse)
    assert size_of(whole) >= ENTRY_BYTES + 96 + 50 * 8
    assert size_of(Representation(terms=[{"x" * 1_000: 1}])) > ENTRY_BYTES + 1_000


@pytest.mark.slow
def test_long_queries_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """8 queries of 100 KB each would take 0.8 MB for each leg."""
    before = cache.QUERY_CACHE.size  # Other collections of this process share the cache.
    monkeypatch.setattr(cache.QUERY_CACHE, "limit", before + (1 << 18))
    with Collection.create(tmp_path / "c", CONFIG) as collection:
        collection.add([{"id": "1", "text": "a kiwi"}])
        collection.search(SearchRequest(query="kiwi warm " * 10_000))
        gc.collect()
        tracemalloc.start()
        for number in range(8):
            collection.search(SearchRequest(query=f"kiwi {number} " * 12_000))
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert kept < 1 << 19
        assert cache.QUERY_CACHE.size > before
    assert cache.QUERY_CACHE.size == before


def test_the_limit_applies_to_the_whole_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache.QUERY_CACHE, "limit", 100_000)
    with (
        Collection.create(tmp_path / "a", CONFIG) as one,
        Collection.create(tmp_path / "b", CONFIG) as two,
    ):
        for number in range(100):
            for collection in (one, two):
                collection.search(SearchRequest(query=f"kiwi number {number}"))
        assert 50_000 < cache.QUERY_CACHE.size <= 100_000
