"""Limits of one request, and wall-clock timings of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import local
from time import monotonic, perf_counter

from ..errors import TimeLimitError
from ..types import Usage
from .spans import span


def _always() -> None:
    return None


def _uncounted(usage: Usage) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits of one search.

    check:      function that is called between the stages of a search, between the segments that
                a leg searches, and between the searches of a batch. It may raise an exception to
                end the search. The search of one segment is never interrupted.
    page_bytes: maximum size, in bytes, of the titles, texts and metadata of all returned hits
                together. None: no limit.
    spent:      function that is called with the usage of a model whose result is not returned,
                because an exception or the caller ended the work.
    """

    check: Callable[[], None] = _always
    page_bytes: int | None = None
    spent: Callable[[Usage], None] = _uncounted

    def within(self, milliseconds: float | None) -> Guard:
        """Return this guard with a time limit that begins now; None: this guard.

        Its `check` raises TimeLimitError after the limit.
        """
        if milliseconds is None:
            return self
        end, check = monotonic() + milliseconds / 1e3, self.check

        def limited() -> None:
            check()
            if monotonic() >= end:
                raise TimeLimitError(late(milliseconds))

        return replace(self, check=limited)


UNGUARDED = Guard()
"""A guard without limits."""


def late(milliseconds: float) -> str:
    """Return the error text for a search that took longer than its `timeout_ms`."""
    return (
        f"the search took longer than its `timeout_ms` of {milliseconds:g} ms; raise `timeout_ms`, "
        "or ask for less: fewer legs, a smaller `depth`, or fewer documents to rerank"
    )


class _Current(local):
    guard = UNGUARDED


_CURRENT = _Current()


def checkpoint() -> None:
    """Call `check` of the guard of the stage that runs in this thread, if any."""
    _CURRENT.guard.check()


class Trace:
    """Records how many milliseconds each stage of a request takes.

    timings: name of a stage -> milliseconds, in the order in which the stages first ended.
    guard:   limits of the request. `guard.check` is called before each stage.
    """

    __slots__ = ("guard", "timings")

    def __init__(self, guard: Guard = UNGUARDED) -> None:
        self.timings: dict[str, float] = {}
        self.guard = guard

    @contextmanager
    def stage(self, name: str, span_name: str | None = None) -> Iterator[None]:
        """Measure the time of a `with` block. The times of a repeated stage are added.

        span_name: name of the stage's span in a distributed trace; None: `name`.
        """
        self.guard.check()
        outer, _CURRENT.guard = _CURRENT.guard, self.guard
        began = perf_counter()
        try:
            with span(span_name or name):
                yield
        finally:
            _CURRENT.guard = outer
            self.timings[name] = self.timings.get(name, 0.0) + (perf_counter() - began) * 1e3
