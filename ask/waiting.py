"""Calls that must be done by a certain time.

A model cannot be stopped inside a call. So calls are made as small as the time left asks for, by
the speed seen so far; and one that takes longer after all goes on by itself in its thread, while
its caller goes on without it.
"""

from __future__ import annotations

import atexit
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from itertools import accumulate
from math import sqrt
from threading import BoundedSemaphore, Lock, Thread
from time import perf_counter
from typing import TypeVar
from weakref import WeakSet

from .meter import Cost

T = TypeVar("T")

GRACE = 5.0
"""Seconds that a program which ends waits for calls left behind."""

_THREADS: WeakSet[Thread] = WeakSet()


@atexit.register
def _let_end() -> None:
    """A thread inside a model's native code when the interpreter ends aborts the process."""
    deadline = perf_counter() + GRACE
    for thread in list(_THREADS):
        thread.join(_left(deadline))


SHARE = 0.4
"""Of the time left that a call should take, so that little is lost if it takes longer."""

UNDER_WAY = 4
"""Calls under a time limit that go on at a time, those without their caller included."""

QUICKEST = 1e-9
"""Seconds for a token that can be believed."""

DOUBT = 0.5
"""What is left of the seconds for a token that are believed in when a call was not made because of
them: a model that was slow once, when it was loaded, is tried again."""


class Overdue(Exception):  # noqa: N818 - not an error: the time is over
    """A call did not end in time."""

    def __init__(self, *warnings: str) -> None:
        super().__init__(*warnings)
        self.warnings = warnings


class Waiting:
    """Knows how fast calls are and how many were left behind. Thread-safe."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._behind = 0
        self._lock = Lock()
        self._slots = BoundedSemaphore(UNDER_WAY)

    @property
    def speed(self) -> float | None:
        """Tokens a second; None before the first call."""
        return None if self._rate is None else 1 / self._rate

    def chunk(self, costs: Sequence[Cost], deadline: float | None) -> int:
        """How many of the next questions make a call: all where there is no deadline; none when it
        is over, or so near that one question is likely to take twice as long."""
        if deadline is None:
            return len(costs)
        left = deadline - perf_counter()
        if left <= 0:
            return 0
        rate = self._rate
        if rate is None:
            return 1
        if max(1, costs[0].tokens) * rate > 2 * left:
            with self._lock:
                self._rate = rate * DOUBT
            return 0
        return max(1, within(costs, left * SHARE / rate))

    def call(self, function: Callable[[], T], tokens: int, deadline: float | None) -> T:
        """What `function` returns or raises. Raises Overdue at the deadline."""

        def timed() -> T:
            began = perf_counter()
            value = function()
            self._learn((perf_counter() - began) / tokens)
            return value

        if deadline is None:
            return timed()
        with self._lock:
            all_behind = self._behind >= UNDER_WAY
        if all_behind or not self._slots.acquire(timeout=_left(deadline)):
            raise Overdue("the model is still busy with earlier calls that ran out of time")
        result: Future[T] = Future()

        def work() -> None:
            try:
                result.set_result(timed())
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                result.set_exception(error)
            self._slots.release()

        try:
            thread = Thread(target=work, name="twindex-ask", daemon=True)
            thread.start()
            _THREADS.add(thread)
        except RuntimeError:
            self._slots.release()
            raise
        wait([result], _left(deadline))
        if result.done():
            return result.result()
        with self._lock:
            self._behind += 1
        result.add_done_callback(self._ended)  # At once, if it has ended meanwhile.
        raise Overdue

    def _ended(self, _: Future[T]) -> None:
        with self._lock:
            self._behind -= 1

    def _learn(self, rate: float) -> None:
        """Seconds for a token: the geometric mean of what is known and the latest call, which one
        call that is a thousand times slower than the others (the first, an outage) does not upset
        for long."""
        rate = max(rate, QUICKEST)
        with self._lock:
            self._rate = rate if self._rate is None else sqrt(self._rate * rate)


def within(costs: Sequence[Cost], tokens: float) -> int:
    """How many of the first questions have at most so many tokens together."""
    return bisect_right(list(accumulate(max(1, cost.tokens) for cost in costs)), tokens)


def _left(deadline: float) -> float:
    return max(0.0, deadline - perf_counter())
