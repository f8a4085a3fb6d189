"""Limits of one request, and wall-clock timings of its stages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from ..types import Usage
from .spans import span


def _always() -> None:
    return None


def _uncounted(usage: Usage) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Guard:
    """Limits of one search.

    check:      function that is called between the stages of a search and between the searches of a
                batch. It may raise an exception to end the search. A stage is never interrupted.
    page_bytes: maximum size, in bytes, of the titles, texts and metadata of all returned hits
                together. None: no limit.
    spent:      function that is called with the usage of a model whose result is not returned,
                because an exception or the caller ended the work.
    """

    check: Callable[[], None] = _always
    page_bytes: int | None = None
    spent: Callable[[Usage], None] = _uncounted


UNGUARDED = Guard()
"""A guard without limits."""


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
        began = perf_counter()
        try:
            with span(span_name or name):
                yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (perf_counter() - began) * 1e3
