"""A thread lends its place in a pool while it works for, or waits for, several calls at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import local

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
