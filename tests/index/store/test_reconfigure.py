"""Reconfiguring the storage of vectors while a collection is in use, and crashes during it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from twindex.core import ConfigError, CorruptFileError, Document, InvalidInputError
from twindex.encoders import DenseEncoderConfig, PromptRepsEncoderConfig
from twindex.index import (
    CollectionConfig,
    DenseLeg,
    HnswConfig,
    IvfConfig,
    LexicalLeg,
    ScalarCodec,
    SpannConfig,
    StorageConfig,
    VectorStorage,
)
from twindex.index import reconfigure as reconfigure_collection
from twindex.index.store.snapshot import Snapshot
from twindex.search import Collection, LegRequest

module = sys.modules["twindex.index.store.reconfigure"]

PLAIN = VectorStorage()
HALF = VectorStorage(originals="float16")
GRAPH = VectorStorage(index=HnswConfig(flat_below=50))
KILLS = 12


def configuration(**storage: Any) -> CollectionConfig:
    return CollectionConfig(
        legs={
            "dense": DenseLeg(encoder=DenseEncoderConfig(model="fake"), **storage),
            "lexical": LexicalLeg(),
        },
        storage=StorageConfig(seal_passages=10**6, max_segments=100),
    )


def documents(first: int, last: int) -> list[Document]:
    return [
        Document(f"d{i}", f"common topic{i % 17} item{i} {'pad ' * (i % 5)}")
        for i in range(first, last)
    ]


def filled(path: Path, segments: int = 3, each: int = 100, **storage: Any) -> Collection:
    """A collection with several segments, one deleted document, and two documents in the delta."""
    collection = Collection.create(path, configuration(**storage))
    for i in range(segments):
        collection.add(documents(i * each, (i + 1) * each))
        collection.seal()
    collection.delete(["d7"])
    collection.add([Document("new1", "common item new1"), Document("new2", "topic3 new2")])
    return collection


def found(collection: Collection, leg: str = "dense", **fields: Any) -> dict[str, float]:
    hits = collection.search(
        "common topic3 item20", legs=[LegRequest(name=leg)], limit=500, **fields
    )
    return {hit.id: hit.score for hit in hits.hits}


def kept(collection: Collection) -> list[str]:
    """Return the precision of the originals in each segment."""
    return [segment["vectors"]["dense"]["originals"] for segment in collection.info()["segments"]]


def test_reconfigure_rewrites_every_segment_and_changes_nothing_else(tmp_path):
    with filled(tmp_path / "c") as collection:
        before, words = found(collection), found(collection, "lexical")
        fingerprints = collection.store.fingerprints()
        done = collection.reconfigure({"dense": HALF})
        assert done.changed
        assert not done.warnings
        assert kept(collection) == ["float16"] * 3
        assert collection.config.legs["dense"].originals == "float16"
        assert found(collection) == pytest.approx(before, abs=2e-3)
        assert found(collection, "lexical") == pytest.approx(words, rel=1e-6)
        info = collection.info()
        assert [segment["dead_passages"] for segment in info["segments"]] == [0, 0, 0]
        assert info["delta"]["passages"] == 2
        assert collection.store.fingerprints() == fingerprints
        assert collection.verify() == []
        assert not collection.reconfigure({"dense": HALF}).changed
    with Collection.open(tmp_path / "c") as collection:
        assert collection.config.legs["dense"].originals == "float16"
        collection.seal()
        assert kept(collection) == ["float16"] * 4
        collection.merge()
        assert kept(collection) == ["float16"]
        assert set(found(collection)) == set(before)
    assert len(list((tmp_path / "c" / "segments").iterdir())) == 1


def test_writes_and_deletes_during_reconfigure_are_kept(tmp_path, monkeypatch):
    original = module.merge_segments
    with filled(tmp_path / "c") as collection:
        steps = iter(
            [
                lambda: collection.delete(["d20", "d250"]),
                lambda: collection.add(
                    [Document("d120", "topic3 changed"), Document("late", "topic3")]
                ),
                lambda: collection.delete(["new1"]),
            ]
        )

        def slow(*arguments, **options):
            row = original(*arguments, **options)
            next(steps)()
            assert "common" in collection.get("d1").text  # Reads continue.
            assert len(found(collection)) > 100
            return row

        monkeypatch.setattr(module, "merge_segments", slow)
        collection.reconfigure({"dense": HALF})
        ids = set(found(collection))
        assert {"late", "new2", "d120"} <= ids
        assert not ids & {"d20", "d250", "d7", "new1"}
        assert collection.get("d120").text == "topic3 changed"
        assert len(ids) == collection.count() == 300 - 3 + 2
        assert collection.verify() == []


def test_failure_keeps_the_old_state_and_removes_new_files(tmp_path, monkeypatch):
    original, calls = module.merge_segments, []

    def failing(*arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    with filled(tmp_path / "c") as collection:
        before = found(collection)
        monkeypatch.setattr(module, "merge_segments", failing)
        with pytest.raises(KeyboardInterrupt):
            collection.reconfigure({"dense": HALF})
        assert collection.config.legs["dense"].originals == "auto"
        assert found(collection) == before
        assert len(list((tmp_path / "c" / "segments").iterdir())) == 3


def test_failure_after_the_transaction_keeps_the_new_state(tmp_path, monkeypatch):
    with filled(tmp_path / "c") as collection:
        before = set(found(collection))

        def interrupted(rows):
            raise KeyboardInterrupt

        monkeypatch.setattr(collection.store.segments, "remove", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collection.reconfigure({"dense": HALF})
        assert kept(collection) == ["float16"] * 3
        assert set(found(collection)) == before
        assert collection.verify() == []
        assert len(list((tmp_path / "c" / "segments").iterdir())) == 3


def test_segments_without_live_documents_are_dropped(tmp_path):
    with filled(tmp_path / "c", segments=2, each=10) as collection:
        collection.delete([f"d{i}" for i in range(10)])
        collection.reconfigure({"dense": HALF})
        assert kept(collection) == ["float16"]
        assert set(found(collection)) == {f"d{i}" for i in range(10, 20)} | {"new1", "new2"}
        assert collection.verify() == []


def test_reconfigure_refuses_a_damaged_segment(tmp_path):
    with filled(tmp_path / "c") as collection:
        name = collection.info()["segments"][1]["id"]
        file = tmp_path / "c" / "segments" / name / "dense" / "vectors.npy"
        data = bytearray(file.read_bytes())
        data[-3] ^= 1
        file.write_bytes(data)
        with pytest.raises(CorruptFileError, match=r"vectors\.npy"):
            collection.reconfigure({"dense": HALF})
        assert kept(collection) == ["float32"] * 3


@pytest.mark.parametrize(
    ("legs", "field", "words"),
    [
        (
            {"no": HALF},
            "legs.no",
            r"there is no leg 'no'; only dense legs can be reconfigured \(dense, several\)",
        ),
        ({"lexical": HALF}, "legs.lexical", "leg 'lexical' is lexical; only dense legs"),
        ({"several": HALF}, "legs.several", "several vectors for a text stores only codes"),
    ],
)
def test_invalid_leg_or_storage_is_refused(legs, field, words):
    several = PromptRepsEncoderConfig(model="fake", variant="multi_token_multi")
    config = configuration()
    config = config.model_copy(
        update={"legs": {**config.legs, "several": DenseLeg(encoder=several)}}
    )
    with pytest.raises(InvalidInputError, match=words) as caught:
        module.new_config(Snapshot(0, config, [], {}, []), legs)
    assert caught.value.field == field


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"projection": {"kind": "pca", "dimensions": 65}}, "projection.dimensions"),
        ({"index": {"kind": "ivf"}, "codec": {"kind": "pq", "subquantizers": 7}},
         "codec.subquantizers"),
    ],
)  # fmt: skip
def test_storage_that_does_not_fit_the_dimensions_is_refused(tmp_path, how, field, sealed):
    with Collection.create(tmp_path / "c", configuration()) as collection:
        collection.add([{"id": "1", "text": "too few for an index"}])
        if sealed:
            collection.seal()
        with pytest.raises(ConfigError, match=r"64 dimensions|vectors have 64") as caught:
            collection.reconfigure({"dense": VectorStorage.parse(how)})
        assert caught.value.field == f"legs.dense.{field}"


def test_unsupported_codec_of_an_index_is_refused():
    with pytest.raises(ConfigError, match="does not support codec pq"):
        VectorStorage.parse({"index": {"kind": "hnsw"}, "codec": {"kind": "pq"}})


def test_concurrent_readers_see_the_old_or_the_new_state(tmp_path):
    with filled(tmp_path / "c") as collection:
        wanted, stop, wrong = set(found(collection)), threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                ids = set(found(collection))
                if ids != wanted:
                    wrong.append(ids ^ wanted)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for storage in (HALF, PLAIN) * 3:
            collection.reconfigure({"dense": storage})
        stop.set()
        for thread in threads:
            thread.join()
        assert not wrong


OTHER = """
import sys
from twindex.search import Collection, ReconfigureRequest
legs = ReconfigureRequest.model_validate_json(sys.argv[2]).legs
with Collection.open(sys.argv[1]) as collection:
    assert collection.reconfigure(legs).changed
"""


def by_another_process(path: Path, legs: str) -> None:
    subprocess.run([sys.executable, "-c", OTHER, str(path), legs], check=True, timeout=120)


def test_changing_the_search_effort_does_not_rewrite_files(tmp_path):
    def stored(recall: float | None, **more: Any) -> VectorStorage:
        index = IvfConfig(flat_below=50, lists=24, recall=recall, **more)
        return VectorStorage(index=index, codec=ScalarCodec(kind="float32"), originals="none")

    with filled(tmp_path / "c", segments=2, each=300, **dict(stored(0.3))) as collection:
        files = {p: p.stat().st_mtime_ns for p in (tmp_path / "c" / "segments").rglob("*.faiss")}
        with Collection.open(tmp_path / "c") as other:

            def probes() -> list[int]:
                parts = (part["vectors"]["dense"] for part in other.info()["segments"])
                return [part["parameters"]["nprobe"] for part in parts]

            few = probes()
            assert collection.reconfigure({"dense": stored(0.97)}).changed
            assert all(now > before for now, before in zip(probes(), few, strict=True))
            collection.reconfigure({"dense": stored(None, nprobe=5)})
            assert probes() == [5, 5]
        assert {p: p.stat().st_mtime_ns for p in files} == files
        assert collection.verify() == []
    assert stored(0.9).layout == stored(0.5).layout != HALF.layout
    lists = VectorStorage(index=SpannConfig(recall=0.9))
    assert lists.layout != VectorStorage(index=SpannConfig(recall=0.8)).layout
    fixed = VectorStorage(index=SpannConfig(recall=0.9, replicas=2))
    assert fixed.layout == VectorStorage(index=SpannConfig(recall=0.8, replicas=2)).layout


def test_changes_by_another_process_are_seen(tmp_path):
    with filled(tmp_path / "c") as collection:
        before = found(collection)
        by_another_process(tmp_path / "c", '{"legs": {"dense": {"originals": "float16"}}}')
        assert collection.seal()  # No search first: the seal itself reads the new configuration.
        assert kept(collection) == ["float16"] * 4
        assert found(collection) == pytest.approx(before, abs=2e-3)
        assert collection.config.legs["dense"].originals == "float16"


def test_search_parameters_are_checked_against_the_current_index(tmp_path):
    with filled(tmp_path / "c") as collection:
        exact = found(collection)
        with pytest.raises(InvalidInputError, match=r"\(index: flat\) does not support") as caught:
            found(collection, search={"ef": 40})
        assert caught.value.field == "search.ef"
        by_another_process(
            tmp_path / "c", '{"legs": {"dense": {"index": {"kind": "hnsw", "flat_below": 50}}}}'
        )
        assert len(found(collection, search={"ef": 300})) > 250
        assert found(collection, search={"recall": 1}) == pytest.approx(exact, abs=1e-5)
        with pytest.raises(InvalidInputError, match="use `recall`, or `ef`"):
            found(collection, search={"nprobe": 3})


def test_lost_precision_is_a_warning(tmp_path):
    coded = {"index": HnswConfig(flat_below=50), "codec": ScalarCodec(kind="float16")}
    with filled(tmp_path / "c", originals="none", **coded) as collection:
        assert kept(collection) == ["none"] * 3
        done = collection.reconfigure({"dense": GRAPH})
        assert done.changed
        assert "the vectors as encoded were not kept" in done.warnings[0]
        assert "float16" in done.warnings[0]
        assert kept(collection) == ["float32"] * 3


def work(path: Path, log: int) -> None:
    """Add documents and reconfigure the storage of vectors in an endless loop."""
    collection = Collection.open(path)
    for i in range(10**6):
        collection.add([Document("moving", f"common item{i}")])
        os.write(log, b"r")
        collection.reconfigure({"dense": (HALF, PLAIN)[i % 2]})
        if i % 3 == 0:
            collection.seal()


def run_and_kill(path: Path, begun: int, share: float) -> None:
    """Kill a worker process during its change number `begun`.

    share: how long the change has run by then, as a share of the time of the first change.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.close(read)
        try:
            work(path, write)
        finally:
            os._exit(1)
    os.close(write)
    times = []
    for _ in range(begun):
        assert os.read(read, 1) == b"r", "the worker failed by itself"
        times.append(time.monotonic())
    time.sleep(share * (times[1] - times[0]))
    os.kill(child, signal.SIGKILL)
    os.close(read)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the worker failed by itself"


@pytest.mark.slow
def test_kill_9_leaves_the_old_or_the_new_state(tmp_path):
    path = tmp_path / "c"
    with filled(path, each=40) as collection:
        wanted = found(collection)
    random_ = random.Random(5)
    seen = set()
    for _ in range(KILLS):
        run_and_kill(path, random_.randint(2, 4), random_.random())
        with Collection.open(path) as collection:
            own = collection.config.legs["dense"].storage.kept
            seen.add(own)
            assert set(kept(collection)) == {own}
            assert collection.verify() == []
            scores = found(collection)
            assert {name: scores[name] for name in wanted} == pytest.approx(wanted, abs=2e-3)
            named = {segment["id"] for segment in collection.info()["segments"]}
            assert {p.name for p in (path / "segments").iterdir()} == named
    assert seen == {"float16", "float32"}


def test_reconfigure_accepts_a_store(tmp_path):
    with filled(tmp_path / "c") as collection:
        assert reconfigure_collection(collection.store, {"dense": HALF}).changed
