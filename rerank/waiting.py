"""Calls that must be done by a certain time.

A model cannot be stopped inside a call. So calls are made as small as the time left asks for, by
the speed seen so far; and one that takes longer after all goes on by itself in its thread, while
its caller goes on without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import perf_counter
from typing import TypeVar

from .meter import Cost

T = TypeVar("T")

SHARE = 0.4
"""Of the time left that a call should take, so that little is lost if it takes longer."""

LEFT_BEHIND = 4
"""Calls that may go on without their caller; beyond that none is begun under a time limit."""


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

    def chunk(self, costs: Sequence[Cost], deadline: float | None) -> int:
        """How many of the next questions make a call: all where there is no deadline; none when it
        is over, or so near that one question is likely to take twice as long."""
        if deadline is None:
            return len(costs)
        left = deadline - perf_counter()
        if left <= 0:
            return 0
        if self._rate is None:
            return 1
        tokens = left * SHARE / self._rate
        if max(1, costs[0].tokens) * self._rate > 2 * left:
            return 0
        fitting, total = 0, 0
        for cost in costs:
            total += max(1, cost.tokens)
            if total > tokens:
                break
            fitting += 1
        return max(1, fitting)

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
            if self._behind >= LEFT_BEHIND:
                raise Overdue("the model is still busy with earlier calls that ran out of time")
        results: SimpleQueue[tuple[bool, object]] = SimpleQueue()
        state = {"left": False}

        def work() -> None:
            try:
                results.put((True, timed()))
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                results.put((False, error))
            with self._lock:
                if state["left"]:
                    self._behind -= 1
                state["done"] = True

        Thread(target=work, name="twindex-rerank", daemon=True).start()
        try:
            good, value = results.get(timeout=max(0.0, deadline - perf_counter()))
        except Empty:
            with self._lock:
                if "done" not in state:
                    state["left"] = True
                    self._behind += 1
            raise Overdue from None
        if not good:
            assert isinstance(value, BaseException)
            raise value
        return value  # type: ignore[return-value]

    def _learn(self, rate: float) -> None:
        """Seconds for a token: half of what is known, half of the latest call."""
        with self._lock:
            self._rate = rate if self._rate is None else (self._rate + rate) / 2
