"""Queries of concurrent searches are encoded together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.core import Representation, Usage
from twindex.index import CollectionConfig
from twindex.search import Collection
from twindex.search.encoding import lending
from twindex.search.encoding.batches import BATCHING, Batching, QueryBatches


class Model:
    """Encodes a text as its length. Records its batches. A batch waits until `go` is set."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self, texts: Sequence[str]) -> Representation:
        self.batches.append(list(texts))
        self.began.set()
        assert self.go.wait(30)
        if "bad" in texts:
            raise ValueError("bad")
        rows = np.array([[len(text)] for text in texts], np.float32)
        return Representation(dense=rows, usage=Usage(calls=len(texts), prompt_tokens=7))


def nothing() -> None:
    return None


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not happen in 15 s")


@contextmanager
def behind_a_batch(most: int = 16):
    """A model that encodes "first", and a function that starts further queries behind it."""
    model = Model()
    batches = QueryBatches(model, Batching(most))
    with ThreadPoolExecutor(32) as threads:
        first = threads.submit(batches.encode, "first", nothing)
        model.began.wait(30)

        def start(*texts: str, check: Callable[[], None] = nothing) -> list:
            before = len(batches._waiting)
            found = [threads.submit(batches.encode, text, check) for text in texts]
            until(lambda: len(batches._waiting) + len(model.batches) >= before + len(texts) + 1)
            return found

        yield model, start
        model.go.set()
        assert first.result(30).dense == [[5]]
    assert not batches._running
    assert not batches._waiting


def test_a_query_alone_is_encoded_at_once():
    model = Model()
    model.go.set()
    batches = QueryBatches(model)
    for text in ("a", "bb"):
        assert batches.encode(text, nothing).dense == [[len(text)]]
    assert model.batches == [["a"], ["bb"]]


def test_queries_that_come_during_a_batch_are_the_next_batch():
    with behind_a_batch() as (model, start):
        rest = [*start("a"), *start("bb"), *start("cccc")]
        model.go.set()
        assert [one.result(30).dense.tolist() for one in rest] == [[[1]], [[2]], [[4]]]
    assert model.batches == [["first"], ["a", "bb", "cccc"]]


def test_equal_queries_are_encoded_once_and_the_usage_is_counted_once():
    with behind_a_batch() as (model, start):
        rest = [*start("a"), *start("bb"), *start("a"), *start("a")]
        model.go.set()
        found = [one.result(30) for one in rest]
    assert model.batches[1] == ["a", "bb"]
    usages = [one.usage for one in found]
    assert sum(one.calls for one in usages) == 2
    assert sum(one.prompt_tokens for one in usages) == 7
    assert sum(one.cache_hits for one in usages) == 2


def test_no_batch_is_larger_than_the_limit():
    with behind_a_batch(most=3) as (model, start):
        rest = [*start("a"), *start("bb")]
        alone = start("ccc")  # Two wait, and one leads.
        until(lambda: ["ccc"] in model.batches)
        model.go.set()
        assert [one.result(30).dense.tolist() for one in (*rest, *alone)] == [[[1]], [[2]], [[3]]]
    assert model.batches == [["first"], ["ccc"], ["a", "bb"]]


def test_a_limit_of_one_encodes_each_query_alone():
    with behind_a_batch(most=1) as (model, start):
        rest = start("a", "bb")
        model.go.set()
        for one in rest:
            one.result(30)
    assert sorted(model.batches) == [["a"], ["bb"], ["first"]]


def test_the_error_of_one_query_is_not_that_of_others():
    with behind_a_batch() as (model, start):
        rest = [*start("a"), *start("bad"), *start("cc")]
        model.go.set()
        assert rest[0].result(30).dense == [[1]]
        assert rest[2].result(30).dense == [[2]]
        with pytest.raises(ValueError, match="bad"):
            rest[1].result(30)


def test_a_query_that_is_given_up_leaves_the_batch():
    gone = threading.Event()

    def check() -> None:
        if gone.is_set():
            raise TimeoutError

    with behind_a_batch() as (model, start):
        (left,) = start("left", check=check)
        (other,) = start("a")
        gone.set()
        with pytest.raises(TimeoutError):
            left.result(30)
        model.go.set()
        assert other.result(30).dense == [[1]]
    assert model.batches == [["first"], ["a"]]


def test_a_query_that_waits_lends_its_place():
    lent, spent = threading.Event(), []

    @contextmanager
    def lend():
        lent.set()
        yield spent.append
        lent.clear()

    model = Model()
    batches = QueryBatches(model)

    def waits() -> Representation:
        lending.set_lend(lend)
        return batches.encode("a", nothing)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(batches.encode, "first", nothing)
        model.began.wait(30)
        assert not lent.is_set()
        second = threads.submit(waits)
        assert lent.wait(30)
        model.go.set()
        assert second.result(30).dense == [[1]]
        first.result(30)
    assert not lent.is_set()
    assert len(spent) == 1
    assert spent[0] > 0


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=40),
    st.integers(1, 8),
    st.integers(1, 12),
)
def test_every_query_gets_its_own_row(texts, most, threads):
    largest = 0

    def model(batch: Sequence[str]) -> Representation:
        nonlocal largest
        largest = max(largest, len(batch))
        time.sleep(0.001)
        rows = [[float(ord(c)) for c in text.ljust(4)] for text in batch]
        return Representation(dense=np.array(rows, np.float32))

    batches = QueryBatches(model, Batching(most))
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda text: batches.encode(text, nothing), texts))
    for text, row in zip(texts, found, strict=True):
        assert row.dense is not None
        assert row.dense.tolist() == [[ord(c) for c in text.ljust(4)]]
    assert largest <= most
    assert not batches._running


LEGS = {
    "dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
    "sparse": {"kind": "sparse", "encoder": {"kind": "sparse", "model": "fake"}},
    "lexical": {"kind": "lexical"},
}


def test_concurrent_searches_return_what_searches_one_after_another_return(tmp_path):
    with Collection.create(tmp_path / "c", CollectionConfig.parse({"legs": LEGS})) as collection:
        collection.add([{"id": str(i), "text": f"bird number {i} of {i % 7}"} for i in range(60)])
    queries = [f"number {i} bird {i % 5}" for i in range(80)]

    def search(collection: Collection, query: str) -> list:
        return [(hit.id, hit.score) for hit in collection.search(query).hits]

    with Collection.open(tmp_path / "c") as collection:
        alone = [search(collection, query) for query in queries]
    with Collection.open(tmp_path / "c") as collection, ThreadPoolExecutor(16) as threads:
        together = list(threads.map(lambda query: search(collection, query), queries))
    assert together == alone
    assert BATCHING.most > 1
