"""Batches limited by time, and progress in documents, with a fake clock."""

from __future__ import annotations

import pytest

from twindex.core import Document, NoProgress
from twindex.encoders import AnalyzerConfig, DenseEncoderConfig, load_encoder
from twindex.index import CollectionConfig, DenseLeg, LexicalLeg
from twindex.search import Collection, build
from twindex.search.writing.pace import BATCH_SECONDS, FIRST_DOCUMENTS, Pace

SLOW, FAST = DenseEncoderConfig(model="fake"), AnalyzerConfig()
SECONDS_A_TEXT = 0.5
IN_TIME = int(BATCH_SECONDS / SECONDS_A_TEXT)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class RecordedProgress(NoProgress):
    """Records the reported progress of encoding."""

    def __init__(self):
        self.done = 0
        self.at = []
        self.encoding = True

    def start(self, stage, total, unit, done=0):
        self.encoding = not stage.startswith("index")

    def advance(self, n=1):
        assert n >= 0
        if self.encoding:
            self.done += n
            self.at.append(self.done)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("twindex.search.writing.pace.perf_counter", clock)
    return clock


@pytest.mark.parametrize(
    ("seconds", "following"), [(0.0, 2_000), (0.1, 2_000), (4.0, 120), (8 * 59.0, 1), (8e6, 1)]
)
def test_a_batch_takes_about_a_minute(clock, seconds, following):
    pace = Pace(NoProgress(), [SLOW], max_documents=2_000, first=8)
    assert pace.documents() == 8
    pace.begin(8)
    clock.now += seconds
    pace.complete()
    assert pace.documents() == following


def test_the_rate_excludes_time_between_batches(clock):
    pace = Pace(NoProgress(), [SLOW], max_documents=2_000, first=8)
    for documents, seconds in ((8, 40.0), (12, 20.0)):
        pace.begin(documents)
        clock.now += seconds
        pace.complete()
        clock.now += 1_000.0
    assert pace.documents() == 20


def test_progress_follows_the_time_of_each_encoder(clock):
    recorded = RecordedProgress()
    pace = Pace(recorded, [SLOW, FAST], max_documents=100, first=10)
    for documents in (10, 100):
        pace.begin(documents)
        before = recorded.done
        for part in range(1, 6):
            clock.now += 9.0
            pace.read(SLOW, 1, of=5)
            if documents == 100:  # Now the times of both encoders are known.
                assert recorded.done - before == pytest.approx(20 * part * 0.99, abs=2)
        clock.now += 0.2
        pace.read(FAST, 5, of=5)
        pace.complete()
        assert recorded.done - before == documents
    assert recorded.done == 110


class SlowEncoder:
    """Advances the fake clock and reports its progress in batches."""

    def __init__(self, encoder, clock, shards):
        self._encoder, self._clock, self._shards = encoder, clock, shards

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def encode(self, texts, *, role, advance=None):
        if role == "document":
            self._shards.append(len(texts))
            for start in range(0, len(texts), 10):
                count = len(texts[start : start + 10])
                self._clock.now += SECONDS_A_TEXT * count
                advance(count)
        return self._encoder.encode(texts, role=role)


CONFIG = CollectionConfig(legs={"dense": DenseLeg(encoder=SLOW), "lexical": LexicalLeg()})
CORPUS = [Document(f"d{i}", f"common topic{i % 7} item{i}") for i in range(300)]


def found(path, loader=load_encoder):
    with Collection.open(path, encoders=loader) as collection:
        assert collection.verify() == []
        return [
            [(hit.id, pytest.approx(hit.score, abs=1e-5)) for hit in collection.search(query).hits]
            for query in ("topic3", "item17 topic2")
        ]


@pytest.fixture
def shards():
    """Numbers of texts in the calls of the slow encoder."""
    return []


@pytest.fixture
def loader(clock, shards):
    def load(config):
        encoder = load_encoder(config)
        return SlowEncoder(encoder, clock, shards) if config == SLOW else encoder

    return load


def test_a_slow_build_loses_about_a_minute_and_gives_the_same_result(tmp_path, shards, loader):
    def stopping():
        yield from CORPUS[:200]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "c", stopping(), CONFIG, encoders=loader)
    assert shards == [FIRST_DOCUMENTS, IN_TIME]
    recorded = RecordedProgress()
    report = build(
        tmp_path / "c", CORPUS, CONFIG, total=len(CORPUS), progress=recorded, encoders=loader
    )
    assert report.resumed_at == FIRST_DOCUMENTS + IN_TIME
    assert shards[2:] == [FIRST_DOCUMENTS, IN_TIME, 300 - 2 * (FIRST_DOCUMENTS + IN_TIME)]
    # Progress moved within the shards, with each batch of ten texts, up to rounding.
    assert (
        max(after - before for before, after in zip(recorded.at, recorded.at[1:], strict=False))
        <= 11
    )
    build(tmp_path / "whole", CORPUS, CONFIG)
    assert found(tmp_path / "c") == found(tmp_path / "whole")


def test_adding_is_bounded_by_time_too(tmp_path, shards, loader):
    recorded = RecordedProgress()
    documents = [Document(f"d{i}", "text") for i in range(FIRST_DOCUMENTS + 200)]
    with Collection.create(tmp_path / "c", CONFIG, encoders=loader) as collection:
        collection.add(documents, progress=recorded)
    assert shards == [FIRST_DOCUMENTS, IN_TIME, 200 - IN_TIME]
    assert recorded.done == len(documents)
