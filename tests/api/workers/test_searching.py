"""Writers give way to searches of all workers."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from twindex.api.serving.operations import searching
from twindex.api.serving.operations.searching import SearchingWorkers
from twindex.api.serving.operations.workers import WRITER, Board, Place, board_of
from twindex.search.encoding.courtesy import LINGER_SECONDS, Courtesy, Slices

READER = 2
SEARCHING = """
import sys, time
from pathlib import Path
from twindex.api.serving.operations.searching import SearchingWorkers
from twindex.api.serving.operations.workers import Place
from twindex.search.encoding.courtesy import Courtesy

shared = Courtesy(share=0.25, peers=SearchingWorkers(Place.join(2, 2, Path(sys.argv[1]), 0)))
print("ready", flush=True)
began, end = time.process_time(), time.monotonic() + 1.5
while time.monotonic() < end:
    with shared.searching():
        until = time.thread_time() + 0.005
        while time.thread_time() < until:
            pass
print(time.process_time() - began)
"""


@pytest.fixture
def folder(tmp_path):
    board = Board(board_of(tmp_path), 2, create=True)
    for number in board.numbers:
        board.enter(number, "ready")
    return tmp_path


def courtesy(folder: Path, number: int, share: float = 0.25) -> Courtesy:
    return Courtesy(share, SearchingWorkers(Place.join(number, 2, folder, 0)))


def test_searches_of_other_workers_make_a_writer_rest(folder):
    writer, reader = courtesy(folder, WRITER), courtesy(folder, READER)
    time.sleep(2 * LINGER_SECONDS)
    assert not writer.busy()
    with reader.searching():
        with reader.searching():
            assert writer.busy()
        assert writer.busy()
        time.sleep(2 * LINGER_SECONDS)
        assert writer.busy()
    assert writer.busy(), "its client needs time for the next one"
    time.sleep(2 * LINGER_SECONDS)
    assert not writer.busy()


def test_searches_of_a_worker_that_was_killed_do_not_count(folder):
    writer, reader = courtesy(folder, WRITER), courtesy(folder, READER)
    board = Board(board_of(folder), 2)
    running = reader.searching()
    running.__enter__()
    time.sleep(2 * LINGER_SECONDS)
    assert writer.busy()
    board.enter(READER, "ended")
    assert not writer.busy()
    board.started(READER, 1, again=True)
    board.enter(READER, "ready")
    assert not writer.busy()


def test_the_time_that_workers_have_used_never_falls(folder, monkeypatch):
    used = [5 * 10**9]
    monkeypatch.setattr(searching, "process_time_ns", lambda: used[0])
    writer = SearchingWorkers(Place.join(WRITER, 2, folder, 0))
    with courtesy(folder, READER).searching():
        assert writer.spent() == 5.0
    used[0] = 10**9  # The process that replaces the worker.
    with courtesy(folder, READER).searching():
        assert writer.spent() == 6.0


def test_writes_use_their_share_of_the_time_of_all_workers(folder):
    writer = courtesy(folder, WRITER)
    command = [sys.executable, "-c", SEARCHING, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        slices, began = Slices(writer), time.thread_time()
        while reader.poll() is None:
            until = time.thread_time() + 0.002
            while time.thread_time() < until:
                pass
            slices.pause()
        written = time.thread_time() - began
        searched = float(reader.stdout.read())
    assert written > 0
    # On a processor that other programs use, rests end by their time limit.
    assert written / (written + searched) < 0.4, (written, searched)
