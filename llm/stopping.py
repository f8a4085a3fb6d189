"""Ends a call of a model whose caller has left.

A caller may wait for a model in another thread (`twindex.ask.waiting`), and stop waiting. Texts
take seconds, so a local model asks before each token whether anybody still waits for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event


class CallerLeft(Exception):  # noqa: N818 - not an error: nobody waits for a result
    """Nobody waits for the result of this call."""


_LEFT: ContextVar[Event | None] = ContextVar("left", default=None)


@contextmanager
def ended_by(left: Event) -> Iterator[None]:
    """Let `check_caller` raise CallerLeft within the block as soon as `left` is set."""
    token = _LEFT.set(left)
    try:
        yield
    finally:
        _LEFT.reset(token)


def check_caller() -> None:
    """Raise CallerLeft if the caller has left."""
    left = _LEFT.get()
    if left is not None and left.is_set():
        raise CallerLeft
