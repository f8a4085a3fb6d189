"""A flipped bit anywhere in a collection is reported or has no effect. It is never returned."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from pathlib import Path

import pytest

from twindex.core import TwindexError
from twindex.index import LocalStore
from twindex.search import Collection

from .damage import Refused, configuration, fill, flip, observe, picture

IDS = [f"n{i}" for i in range(72)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A closed collection, a crashed one, and the answers of both."""
    root = tmp_path_factory.mktemp("pictures")
    with Collection.create(root / "c", configuration()) as collection:
        fill(collection)
        crashed = picture(root / "c", root / "crashed")
        expected = observe(collection, IDS)
    assert (crashed / "collection.db-wal").stat().st_size > 100_000
    assert not (root / "c" / "collection.db-wal").exists()
    return root / "c", crashed, expected


def trial(source: Path, target: Path, name: str, bit: int, expected: dict) -> str:
    """Flip one bit. Return its effect: "named", "harmless", or the message of a test failure."""
    shutil.rmtree(target, ignore_errors=True)
    picture(source, target)
    segments = {path.name for path in (target / "segments").iterdir()}
    flip(target / name, bit)
    place = f"{name} bit {bit}"
    try:
        verified = LocalStore.verify(target)
    except TwindexError as error:
        verified = [str(error)]
    try:
        collection = Collection.open(target)
    except TwindexError as error:
        kept = {path.name for path in (target / "segments").iterdir()}
        if kept != segments:
            return f"{place}: segments were removed"
        return "named" if verified else f"{place}: verify is silent about: {error}"
    with collection:
        seen = observe(collection, IDS)
    for key, value in seen.items():
        if value != expected[key] and not isinstance(value, Refused):
            return f"{place}: {key} gives {value!r}"
    if seen == expected:
        return "named" if verified else "harmless"
    return "named" if verified else f"{place}: verify is silent"


def run(pictures, target: Path, trials: int, seed: int) -> Counter:
    """Run trials at random positions in all kinds of files. Return the number of each outcome."""
    rest, crashed, expected = pictures
    files = [(rest, "collection.db"), (crashed, "collection.db-wal"), (rest, "collection.mark")]
    segments = sorted(
        path.relative_to(rest).as_posix()
        for path in (rest / "segments").rglob("*")
        if path.is_file() and path.stat().st_size
    )
    random_ = random.Random(seed)
    outcomes: Counter = Counter()
    failures = []
    for i in range(trials):
        if i % 2:
            source, name = files[0]
        elif i % 4:
            source, name = files[1]
        else:
            source, name = random_.choice([files[2], *((rest, name) for name in segments)])
        bit = random_.randrange(8 * (source / name).stat().st_size)
        outcome = trial(source, target, name, bit, expected)
        kind = name.split("/")[0]
        if outcome in ("named", "harmless"):
            outcomes[kind, outcome] += 1
        else:
            failures.append(outcome)
    assert failures == []
    return outcomes


def test_a_flipped_bit_is_named_or_harmless(pictures, tmp_path):
    outcomes = run(pictures, tmp_path / "c", 60, seed=1)
    assert sum(n for (_, outcome), n in outcomes.items() if outcome == "named") > 20


@pytest.mark.slow
def test_a_thousand_flipped_bits_are_named_or_harmless(pictures, tmp_path):
    outcomes = run(pictures, tmp_path / "c", 1_000, seed=2)
    print(dict(outcomes))
    assert outcomes["segments", "harmless"] == 0


def test_control_altered_text_is_served_without_row_checksums(pictures, tmp_path):
    """Without checksums of rows, the same trial returns an altered document."""
    import twindex.index.store.database.tables as tables

    rest, _, expected = pictures
    data = (rest / "collection.db").read_bytes()
    bit = 8 * data.index(b"document 20 version 0") + 8 * 9
    assert trial(rest, tmp_path / "c", "collection.db", bit, expected) == "named"
    kept, tables.differs = tables.differs, lambda stored, computed: False
    try:
        assert "get n20" in trial(rest, tmp_path / "c", "collection.db", bit, expected)
    finally:
        tables.differs = kept
