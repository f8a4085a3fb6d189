"""One call of a pool: its work, and the future that gets the outcome."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from functools import partial
from time import perf_counter
from typing import Any


class Stage(Enum):
    """Whether a thread has taken a call."""

    WAITS = 0
    BEGUN = 1
    DROPPED = 2


@dataclass(slots=True, weakref_slot=True, eq=False)
class Call:
    """A call that waits for a thread, or runs.

    stage: changed only while the lock of the pool is held.
    """

    work: Callable[[], Any]
    future: Future[Any]
    stage: Stage = Stage.WAITS

    def take(self, stage: Stage) -> bool:
        """Begin or drop the call. Return False if it has begun or was dropped before."""
        if self.stage is not Stage.WAITS:
            return False
        self.stage = stage
        return True

    def perform(self) -> tuple[float, Callable[[], None]]:
        """Run the work. Return the seconds that it took, and what delivers its outcome."""
        if not self.future.set_running_or_notify_cancel():
            return 0.0, _nothing
        began = perf_counter()
        outcome: Callable[[], None]
        try:
            outcome = partial(self.future.set_result, self.work())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            outcome = partial(self.future.set_exception, error)
        try:
            return perf_counter() - began, outcome
        finally:
            del self, outcome  # The traceback of an exception keeps this frame.


def _nothing() -> None:
    """Deliver nothing: the call was cancelled."""
