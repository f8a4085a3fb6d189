"""Wall-clock timings of the stages of one request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from .guard import UNGUARDED, Guard


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
    def stage(self, name: str) -> Iterator[None]:
        """Measure the time of a `with` block. The times of a repeated stage are added."""
        self.guard.check()
        began = perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (perf_counter() - began) * 1e3
