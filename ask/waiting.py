"""Calls of a model with a deadline.

The number of questions in a call depends on the time left and the speed of earlier calls. If a call
still misses its deadline, the call continues in its thread, and the caller continues without the
result. The guard of the caller is checked every `POLL` seconds during a call. If the guard raises
an exception, the caller does not wait either. A local model that generates texts then stops after
the current token (`twindex.llm.stopping`). No other call of a model can be stopped.
"""

from __future__ import annotations

import atexit
from bisect import bisect_right
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from itertools import accumulate
from math import inf, sqrt
from threading import BoundedSemaphore, Event, Lock, Thread
from time import perf_counter, sleep
from typing import TypeVar
from weakref import WeakSet

from ..core import UNGUARDED, Guard
from ..core.trace.spans import in_context
from ..llm.stopping import ended_by
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

POLL = 0.05
"""Seconds between two checks of the guard during a call."""

UNDER_WAY = 4
"""Maximum number of concurrent calls with a deadline. Calls whose callers have left, and that still
run, are included. While there are so many of these, a guarded call without a deadline waits."""

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

        Without a deadline, the call should contain all of them. Returns 0 if the deadline has
        passed, or if the first question alone would probably take more than twice the time left.

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

    def call(
        self,
        function: Callable[[], T],
        tokens: int,
        deadline: float | None,
        guard: Guard = UNGUARDED,
    ) -> T:
        """Call `function` and return its result. Raises Overdue at the deadline.

        tokens:   number of tokens of the call, to measure the speed.
        deadline: time at which the caller stops waiting, as a value of `perf_counter()`; None: no
                  deadline.
        guard:    checked during the call; its exceptions are raised. A local model that generates
                  texts then stops after the current token. Without a guard and a deadline,
                  `function` runs in the thread of the caller.
        """

        def timed() -> T:
            began = perf_counter()
            value = function()
            self._learn((perf_counter() - began) / tokens)
            return value

        if deadline is None and guard is UNGUARDED:
            return timed()
        slot = self._slot(deadline, guard)
        result: Future[T] = Future()
        left = Event()

        def work() -> None:
            try:
                with ended_by(left):
                    result.set_result(timed())
            except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
                result.set_exception(error)
            if slot:
                self._slots.release()

        try:
            thread = Thread(target=in_context(work), name="twindex-ask", daemon=True)
            thread.start()
            let_end(thread)
        except RuntimeError:
            if slot:
                self._slots.release()
            raise
        try:
            while not wait([result], _pause(deadline, guard)).done:
                if _left(deadline) == 0:
                    raise Overdue
                guard.check()
        except BaseException as reason:
            if not isinstance(reason, Overdue):  # A late result is remembered for the next caller.
                left.set()
            with self._lock:
                self._behind += 1
            result.add_done_callback(self._ended)  # Runs at once if the call has ended by now.
            raise
        return result.result()

    def _slot(self, deadline: float | None, guard: Guard) -> bool:
        """Wait until a call may start. Return True if the call holds a slot and must release it.

        Raises Overdue if there is no slot until the deadline, and the exceptions of the guard.
        """
        if deadline is None:
            while self._all_behind():
                guard.check()
                sleep(POLL)
            return False
        while not self._all_behind():
            if self._slots.acquire(timeout=_pause(deadline, guard)):
                return True
            if _left(deadline) == 0:
                break
            guard.check()
        raise Overdue("the model is still busy with earlier calls that ran out of time")

    def _all_behind(self) -> bool:
        with self._lock:
            return self._behind >= UNDER_WAY

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


def _pause(deadline: float | None, guard: Guard) -> float:
    """Return how many seconds to wait before the next check of deadline and guard."""
    left = _left(deadline)
    return left if guard is UNGUARDED else min(POLL, left)


def _left(deadline: float | None) -> float:
    return inf if deadline is None else max(0.0, deadline - perf_counter())
