"""Writers give way to searches: they work in slices, and rest between them while searches run.

Searches and writers of a process share its processors, its models and the lock of the interpreter.
Without rests, four bulk writers take most of them. Processes that serve the same collections share
the processors, so writers also give way to searches of the other processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, process_time, sleep, thread_time
from typing import Protocol

SLICE_SECONDS = 0.01
"""Processor seconds that a writer works before it looks whether searches run."""
LINGER_SECONDS = 0.02
"""Searches count as running for so long after the last one: clients need time for the next one."""
_PATIENCE = 4
"""A rest takes at most so many times as long as on a processor that only this process uses.

Otherwise searches that wait for another service, and use no processor, would stop the writers.
"""
_POLL_SECONDS = 0.002


class Peers(Protocol):
    """The other processes that search the same collections."""

    def note(self, searches: int) -> None:
        """Let them know how many searches run in this process."""

    def busy(self) -> bool:
        """Return True while searches run in one of them, and shortly after."""

    def spent(self) -> float:
        """Return the processor seconds that all of them have used. The number never falls."""


class Courtesy:
    """Shares the time of a process between its searches and its writers. Thread-safe.

    While searches run, all writers together use at most the part `share` of the processor time of
    the process and its peers. After a slice of w seconds, a writer rests until they have used
    w / share. The slices of all writers are placed one after another on this clock, so writers take
    turns. Without searches, nobody rests.

    share: part of the processor time for writers, in (0, 1]. 1: writers never rest.
    peers: other processes that search the same collections; None: there are none.
    """

    def __init__(self, share: float = 0.25, peers: Peers | None = None) -> None:
        self.share = share
        self.peers = peers
        self._lock = Lock()
        self._searches = 0
        self._ended = -LINGER_SECONDS
        self._clock = 0.0

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Return a context in which a search runs."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def _count(self, more: int) -> None:
        with self._lock:
            self._searches += more
            if not self._searches:
                self._ended = monotonic()
            if self.peers is not None:
                self.peers.note(self._searches)

    def busy(self) -> bool:
        """Return True while searches run, and shortly after."""
        own = self._searches > 0 or monotonic() - self._ended < LINGER_SECONDS
        return own or (self.peers is not None and self.peers.busy())

    def _spent(self) -> float:
        """Return the processor seconds that this process and its peers have used."""
        return process_time() + (0.0 if self.peers is None else self.peers.spent())

    def rest(self, worked: float) -> None:
        """Wait as long as a writer must that has used `worked` seconds since its last rest."""
        if self.share >= 1 or not self.busy():
            return
        with self._lock:
            self._clock = max(self._clock, self._spent()) + worked / self.share
            until = self._clock - worked
        latest = monotonic() + _PATIENCE * (until - self._spent())
        while (left := until - self._spent()) > 0 and monotonic() < latest:
            if not self.busy():
                return
            sleep(max(_POLL_SECONDS, min(left, LINGER_SECONDS)))


class Slices:
    """The slices of one write. Each writer has its own object, and uses it in one thread."""

    def __init__(self, courtesy: Courtesy) -> None:
        self._courtesy = courtesy
        self._began = thread_time()

    def pause(self) -> None:
        """Rest if a slice is complete. Call it often: a call takes a microsecond."""
        worked = thread_time() - self._began
        if worked >= SLICE_SECONDS:
            self._courtesy.rest(worked)
            self._began = thread_time()


COURTESY = Courtesy()
"""The courtesy of this process."""
