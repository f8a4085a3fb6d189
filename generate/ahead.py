"""Reads an iterator in a thread of its own, so that a caller can stop waiting for the next value.

A model may need seconds for its first token, and a server may not answer at all. Neither can be
interrupted from outside. A separate thread therefore reads the model. While the caller waits for
this thread, the caller checks its guard, and stops waiting at its deadline. The thread closes the
iterator of the model as soon as the model returns: after the current token, or after the time limit
of the server's client.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from time import perf_counter
from typing import Generic, TypeVar

from ..ask.waiting import let_end
from ..core import Guard
from ..core.closing import Closing
from ..core.trace.spans import in_context

T = TypeVar("T")

POLL = 0.02
"""Seconds between two checks of the guard while the caller waits."""

MOST = 64
"""Maximum number of values that the thread reads before the caller takes them."""

PATIENCE = 0.05
"""Seconds that `close` waits for the thread to close the iterator."""


class Ahead(Closing, Generic[T]):
    """Reads an iterator in a thread, for one caller that waits until a deadline.

    Use it in a `with` block. `overdue` is True after `next` returned None because of the deadline.
    """

    def __init__(self, values: Iterator[T]) -> None:
        self.overdue = False
        self._values = values
        self._ready: Queue[tuple[T | None, BaseException | None]] = Queue(MOST)
        self._left = Event()
        self._thread = Thread(target=in_context(self._read), name="twindex-answer", daemon=True)
        self._thread.start()
        let_end(self._thread)

    def next(self, deadline: float | None, guard: Guard) -> T | None:
        """Return the next value; None after the last one, or at the deadline.

        deadline: value of `time.perf_counter()`, in seconds; None: no deadline.

        Raises the exceptions of the guard and those of the iterator.
        """
        while True:
            guard.check()
            left = POLL if deadline is None else min(POLL, deadline - perf_counter())
            if left <= 0:
                self.overdue = True
                return None
            with suppress(Empty):
                value, error = self._ready.get(timeout=left)
                if error is not None:
                    raise error
                return value

    def close(self) -> None:
        """Let the thread close the iterator after the current value.

        Waits at most `PATIENCE` seconds for the thread to end.
        """
        self._left.set()
        self._thread.join(PATIENCE)

    def _read(self) -> None:
        try:
            for value in self._values:
                if not self._put(value, None):
                    break
        except BaseException as error:  # noqa: BLE001 - raised in the caller's thread
            self._put(None, error)
        else:
            self._put(None, None)
        finally:
            close = getattr(self._values, "close", None)
            if close is not None:
                with suppress(Exception):
                    close()

    def _put(self, value: T | None, error: BaseException | None) -> bool:
        """Hand a value to the caller. Return False if the caller has left."""
        while not self._left.is_set():
            with suppress(Full):
                self._ready.put((value, error), timeout=POLL)
                return True
        return False
