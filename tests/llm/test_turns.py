"""The lock of a model: urgent callers first, and nobody waits forever."""

from __future__ import annotations

import threading
import time

import pytest

from twindex.llm import turns
from twindex.llm.turns import Turns


def started(target, *arguments) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments)
    thread.start()
    return thread


def test_one_thread_at_a_time_holds_the_lock():
    lock, inside, most = Turns(), 0, 0

    def use(urgent: bool) -> None:
        nonlocal inside, most
        for _ in range(50):
            with lock.turn(urgent=urgent):
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [started(use, number % 2 == 0) for number in range(6)]
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert most == 1


def test_urgent_callers_pass_those_that_wait_longer():
    lock, order = Turns(), []

    def use(name: str, urgent: bool) -> None:
        with lock.turn(urgent=urgent):
            order.append(name)

    with lock.turn():
        patient = [started(use, "document", False) for _ in range(3)]
        time.sleep(0.05)
        urgent = [started(use, "query", True) for _ in range(3)]
        while lock._urgent < 3:
            time.sleep(0.001)
    for thread in (*patient, *urgent):
        thread.join(30)
    assert order == ["query"] * 3 + ["document"] * 3


def test_urgent_callers_do_not_keep_others_out_forever(monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)
    lock, stop = Turns(), threading.Event()

    def search() -> None:
        while not stop.is_set():
            with lock.turn(urgent=True):
                time.sleep(0.001)

    threads = [started(search) for _ in range(4)]
    try:
        for _ in range(3):
            with lock.turn():
                pass
    finally:
        stop.set()
    for thread in threads:
        thread.join(30)


def test_an_error_gives_the_lock_back():
    lock = Turns()
    with pytest.raises(ValueError, match="no"), lock.turn():
        raise ValueError("no")
    with lock.turn(urgent=True):
        pass
