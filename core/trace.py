"""Wall-clock timings of the stages of one request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from .guard import UNGUARDED, Guard


class Trace:
    """Records the milliseconds of each stage, in the order in which stages first end.

    guard: its `check` is called before each stage.
    """

    __slots__ = ("guard", "timings")

    def __init__(self, guard: Guard = UNGUARDED) -> None:
        self.timings: dict[str, float] = {}
        self.guard = guard

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block. The times of a stage that runs several times are added up."""
        self.guard.check()
        began = perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + (perf_counter() - began) * 1e3
