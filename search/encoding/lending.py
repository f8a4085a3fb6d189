"""A thread lends its place in a pool while it works for, or waits for, several calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock, local

Spend = Callable[[float], None]
Lend = Callable[[], AbstractContextManager[Spend]]
"""Function that returns a context in which the place of the current thread is lent."""


class _Place(local):
    lend: Lend | None = None


_PLACE = _Place()


def lent() -> AbstractContextManager[Spend]:
    """Return a context in which the current thread has lent its place to another call.

    Leaving the context may wait until the thread has its place back. The time in the context does
    not count as time of the current call, except for the seconds that the call gives to the
    function that the context returns. In a thread of no pool, the context does nothing.
    """
    return _kept() if _PLACE.lend is None else _PLACE.lend()


@contextmanager
def _kept() -> Iterator[Spend]:
    yield lambda seconds: None


def set_lend(lend: Lend | None) -> None:
    """Set what `lent` returns in the current thread."""
    _PLACE.lend = lend


class KeptLock:
    """A lock. While a thread holds it, the thread lends no place.

    Otherwise, calls that wait for the lock could take all places of a pool, and the thread that
    holds the lock would never get its place back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._lend: Lend | None = None

    def acquire(self, timeout: float = -1) -> bool:
        """Acquire the lock. Return False after `timeout` seconds; -1: never."""
        if not self._lock.acquire(timeout=timeout):
            return False
        self._lend, _PLACE.lend = _PLACE.lend, None
        return True

    def release(self) -> None:
        """Release the lock, which the current thread holds."""
        _PLACE.lend = self._lend
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
