"""Writers rest while searches run, and only then."""

from __future__ import annotations

import threading
import time

import pytest

from twindex.search import Collection
from twindex.search.encoding import courtesy
from twindex.search.encoding.courtesy import COURTESY, LINGER_SECONDS, Courtesy, Slices


def work(seconds: float) -> None:
    """Use the processor for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_without_searches_nobody_rests(monkeypatch):
    def fail(seconds: float) -> None:
        raise AssertionError("a rest")

    shared = Courtesy(share=0.01)
    with shared.searching():
        pass
    time.sleep(2 * LINGER_SECONDS)
    monkeypatch.setattr(courtesy, "sleep", fail)
    slices = Slices(shared)
    for _ in range(3):
        work(0.02)
        slices.pause()


def test_with_a_share_of_one_nobody_rests(monkeypatch):
    monkeypatch.setattr(courtesy, "sleep", lambda seconds: pytest.fail("a rest"))
    shared = Courtesy(share=1.0)
    slices = Slices(shared)
    with shared.searching():
        work(0.02)
        slices.pause()


def test_writers_use_their_share_of_the_processor_while_searches_run():
    shared, stop, used = Courtesy(share=0.25), threading.Event(), [0.0, 0.0]

    def search() -> None:
        while not stop.is_set():
            with shared.searching():
                work(0.005)
        used[0] += time.thread_time()

    def write() -> None:
        slices = Slices(shared)
        while not stop.is_set():
            work(0.002)
            slices.pause()
        used[1] += time.thread_time()

    threads = [threading.Thread(target=one) for one in (search, search, write, write, write)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    stop.set()
    for thread in threads:
        thread.join()
    assert used[1] > 0
    # On a processor that other programs use, rests end by their time limit.
    assert used[1] / sum(used) < 0.5


def test_a_rest_ends_when_the_searches_end():
    shared = Courtesy(share=0.01)
    began = time.monotonic()
    with shared.searching():
        waiting = threading.Thread(target=shared.rest, args=(1.0,))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
    waiting.join(30)
    assert time.monotonic() - began < 30


def test_a_rest_is_bounded_when_searches_use_no_processor():
    shared = Courtesy(share=0.5)
    with shared.searching():
        waiting = threading.Thread(target=shared.rest, args=(0.01,))
        waiting.start()
        waiting.join(30)
        assert not waiting.is_alive()


def test_searches_and_batches_count_as_running(tmp_path, monkeypatch):
    from twindex.index import CollectionConfig

    config = CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}})
    with Collection.create(tmp_path / "c", config) as collection:
        collection.add([{"id": "1", "text": "kiwi"}])
        seen = []
        inner = collection.store.view
        monkeypatch.setattr(
            collection.store, "view", lambda: seen.append(COURTESY._searches) or inner()
        )
        collection.search("kiwi")
        collection.search_batch(["kiwi"])
    assert seen
    assert min(seen) >= 1
