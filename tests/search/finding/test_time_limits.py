"""The time limit of a search: `timeout_ms`."""

from __future__ import annotations

import time

import pytest

from twindex import Collection, CollectionConfig, ConfigError, TimeLimitError
from twindex.core import Guard, Trace
from twindex.core.trace import checkpoint
from twindex.rerank import FakeRerankerConfig
from twindex.search import RerankerRegistry

LEGS = {"dense": {"kind": "dense", "encoder": {"kind": "dense", "model": "fake"}},
        "lexical": {"kind": "lexical"}}  # fmt: skip


@pytest.fixture
def collection(tmp_path):
    config = CollectionConfig.parse({"legs": LEGS})
    with Collection.create(tmp_path / "c", config) as made:
        for part in range(3):
            made.add([{"id": f"{part}-{i}", "text": f"a bird {i}"} for i in range(20)])
            made.seal()
        yield made


def test_a_search_within_its_limit_is_that_without_a_limit(collection):
    found = collection.search("bird 3", timeout_ms=60_000)
    assert [hit.id for hit in found.hits] == [hit.id for hit in collection.search("bird 3").hits]


def test_a_search_that_takes_too_long_says_what_to_do(collection):
    collection.search("bird")
    with pytest.raises(TimeLimitError, match=r"`timeout_ms` of 0\.0001 ms; raise `timeout_ms`"):
        collection.search("bird 4", timeout_ms=0.0001)
    assert collection.search("bird 4").hits


def test_the_limit_of_the_caller_holds_beside_that_of_the_request(collection):
    def check() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        collection.search({"query": "bird", "timeout_ms": 60_000}, guard=Guard(check))


@pytest.mark.parametrize("value", [0, -1, float("nan"), "soon"])
def test_a_limit_must_be_positive(collection, value):
    with pytest.raises(ConfigError, match="timeout_ms"):
        collection.search("bird", timeout_ms=value)


def test_a_search_of_a_batch_ends_the_batch(collection):
    requests = [{"query": "bird"}, {"query": "bird 7", "timeout_ms": 0.0001}]
    with pytest.raises(TimeLimitError):
        collection.search_batch(requests)


def test_a_leg_stops_between_segments(collection, monkeypatch):
    calls = []
    part = type(collection.store.view().__enter__().snapshot.parts[0].legs["lexical"])
    search = part.search

    def slow(self, *arguments, **named):
        calls.append(1)
        time.sleep(0.1)
        return search(self, *arguments, **named)

    collection.load()
    collection.search("bird", legs=["lexical"])
    monkeypatch.setattr(part, "search", slow)
    with pytest.raises(TimeLimitError):
        collection.search("bird", legs=["lexical"], timeout_ms=50)
    assert len(calls) == 1


def test_a_reranker_stops(collection):
    collection.rerankers = RerankerRegistry({"slow": FakeRerankerConfig(milliseconds=50)})
    collection.search("bird")
    began = time.perf_counter()
    with pytest.raises(TimeLimitError):
        collection.search("bird", rerank={"model": "slow", "top_n": 60}, timeout_ms=200)
    assert time.perf_counter() - began < 2


def test_the_checkpoint_is_that_of_the_innermost_stage():
    checkpoint()  # Nothing limits this thread.
    seen: list[str] = []
    outer, inner = (Trace(Guard(lambda name=name: seen.append(name))) for name in ("o", "i"))
    with outer.stage("a"):
        with inner.stage("b"):
            checkpoint()
        checkpoint()
    checkpoint()
    assert seen == ["o", "i", "i", "o"]
