"""A lock for a model: whoever a user waits for goes first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

PATIENCE_SECONDS = 1.0
"""Time after which a caller that is not urgent no longer lets urgent ones pass."""


class Turns:
    """A lock that one thread holds at a time. Urgent callers go first. Not reentrant.

    A caller that is not urgent waits until no urgent one waits, but no longer than PATIENCE_SECONDS
    after the lock could have been its own. So a query does not wait for all batches of documents
    that are under way, only for the current one, and documents are encoded beside any number of
    queries.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._held = False
        self._urgent = 0
        self._impatient = 0

    @contextmanager
    def turn(self, *, urgent: bool = False) -> Iterator[None]:
        """Return a context in which the caller holds the lock."""
        self._acquire(urgent)
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()

    def _acquire(self, urgent: bool) -> None:
        with self._changed:
            if urgent:
                self._urgent += 1
                try:
                    self._changed.wait_for(lambda: not self._held and not self._impatient)
                finally:
                    self._urgent -= 1
            else:
                began = monotonic()
                while self._held or self._urgent:
                    if monotonic() - began >= PATIENCE_SECONDS:
                        self._acquire_impatiently()
                        break
                    self._changed.wait(PATIENCE_SECONDS / 10)
            self._held = True

    def _acquire_impatiently(self) -> None:
        """Wait only for the lock itself. Urgent callers wait meanwhile."""
        self._impatient += 1
        try:
            self._changed.wait_for(lambda: not self._held)
        finally:
            self._impatient -= 1
