"""Calls of a model with a deadline.

A model cannot be stopped during a call. The number of questions in a call therefore depends on the
time left and the speed of earlier calls. If a call still misses its deadline, the call continues in
its thread, and the caller continues without the result.
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
"""Seconds that a program waits at its end for calls that are still running."""

_THREADS: WeakSet[Thread] = WeakSet()


@atexit.register
def _let_end() -> None:
    """Wait up to `GRACE` seconds for running calls when the interpreter ends.

    The process aborts if the interpreter ends while a thread is in the native code of a model.
    """
    deadline = perf_counter() + GRACE
    for thread in list(_THREADS):
        thread.join(_left(deadline))


def let_end(thread: Thread) -> None:
    """Wait for a running thread up to `GRACE` seconds when the interpreter ends."""
    _THREADS.add(thread)


def still_running(seconds: float) -> bool:
    """Wait until no call of a model is running, for at most `seconds`.

    Returns True if a call is still running then.
    """
    deadline = perf_counter() + seconds
    for thread in list(_THREADS):
        thread.join(_left(deadline))
    return any(thread.is_alive() for thread in _THREADS)


SHARE = 0.4
"""Fraction of the time left that a call should take. A call that takes longer than estimated then
usually still meets its deadline."""

UNDER_WAY = 4
"""Maximum number of concurrent calls with a deadline. Calls that missed their deadline and still
run are included."""

QUICKEST = 1e-9
"""Minimum plausible seconds per token."""

DOUBT = 0.5
"""If a call is skipped because the model seems too slow, the estimated seconds per token are
multiplied by this factor. A model that was slow once, when it was loaded, is then called again."""


class Overdue(Exception):  # noqa: N818 - not an error, only the end of the time
    """A call did not end before its deadline."""

    def __init__(self, *warnings: str) -> None:
        super().__init__(*warnings)
        self.warnings = warnings


class Waiting:
    """Runs calls with deadlines and measures their speed. Thread-safe."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._behind = 0
        self._lock = Lock()
        self._slots = BoundedSemaphore(UNDER_WAY)

    @property
    def speed(self) -> float | None:
        """Estimated tokens per second of the latest calls. None before the first call."""
        return None if self._rate is None else 1 / self._rate

    def chunk(self, costs: Sequence[Cost], deadline: float | None) -> int:
        """Return how many of the remaining questions the next call should contain.

        Without a deadline, it should contain all. Returns 0 if the deadline has passed, or if the
        first question alone would probably take more than twice the time left.

        costs:    maximum cost of each remaining question, in order.
        deadline: time at which the answers must be there, as a value of `perf_counter()`; None: no
                  deadline.
        """
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
        """Call `function` and return its result. Raises Overdue at the deadline.

        tokens:   number of tokens of the call, to measure the speed.
        deadline: time at which the caller stops waiting, as a value of `perf_counter()`; None: no
                  deadline.
        """

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
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                result.set_exception(error)
            self._slots.release()

        try:
            thread = Thread(target=work, name="twindex-ask", daemon=True)
            thread.start()
            let_end(thread)
        except RuntimeError:
            self._slots.release()
            raise
        wait([result], _left(deadline))
        if result.done():
            return result.result()
        with self._lock:
            self._behind += 1
        result.add_done_callback(self._ended)  # Runs at once if the call has ended by now.
        raise Overdue

    def _ended(self, _: Future[T]) -> None:
        with self._lock:
            self._behind -= 1

    def _learn(self, rate: float) -> None:
        """Update the estimated seconds per token with the seconds per token of the latest call.

        The new estimate is the geometric mean of the old one and `rate`. A single call that is a
        thousand times slower, such as the first, is therefore soon forgotten.
        """
        rate = max(rate, QUICKEST)
        with self._lock:
            self._rate = rate if self._rate is None else sqrt(self._rate * rate)


def within(costs: Sequence[Cost], tokens: float) -> int:
    """Return the largest n such that the first n questions have at most `tokens` tokens in total.

    costs: maximum cost of each question, in order.
    """
    return bisect_right(list(accumulate(max(1, cost.tokens) for cost in costs)), tokens)


def _left(deadline: float) -> float:
    return max(0.0, deadline - perf_counter())
