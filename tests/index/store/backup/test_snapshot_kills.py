"""kill -9 at random moments of snapshots and restorations leaves nothing that looks complete."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twindex.index import check_snapshot, open_target
from twindex.search import Collection

from .test_snapshots import CONFIG, state


def run_and_kill(work: Callable[[], None], seconds: float) -> bool:
    """Run `work` in another process and kill it after `seconds`. Return True if it was killed."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed by itself"
    return os.WIFSIGNALED(status)


def copy(path: Path, target: Path) -> None:
    with Collection.open(path, read_only=True, verify="size") as collection:
        collection.snapshot(target, keep=2, rate=3_000_000)


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_snapshots_and_restorations_are_never_taken_for_whole_ones(tmp_path, kills):
    path, target = tmp_path / "c", tmp_path / "t"
    random_ = random.Random(3)
    with Collection.create(path, CONFIG) as collection:
        collection.add({"id": f"n{i}", "text": f"bird {i}"} for i in range(300))
        expected = state(collection)
        collection.snapshot(target)
    killed = 0
    for kill in range(kills):
        seconds = random_.uniform(0.0, 0.35)
        if kill % 2:
            killed += run_and_kill(lambda: copy(path, target), seconds)
        else:
            restored = tmp_path / f"r{kill}"

            def restore(restored: Path = restored) -> None:
                Collection.restore(target, restored, rate=3_000_000)

            killed += run_and_kill(restore, seconds)
            if restored.exists():
                with Collection.open(restored) as found:
                    assert state(found) == expected
        whole = Collection.snapshots(target)
        assert 1 <= len(whole) <= 3
        for one in whole:
            assert check_snapshot(open_target(target), one.name) == []
    assert killed > kills // 3
    # What the killed processes left is removed by the next snapshot and the next restoration.
    with Collection.open(path) as collection:
        collection.snapshot(target, keep=2)
        assert collection.verify() == []
        assert state(collection) == expected
    assert len(os.listdir(target)) == 2
    for kill in range(0, kills, 2):
        if not (tmp_path / f"r{kill}").exists():
            Collection.restore(target, tmp_path / f"r{kill}")
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
