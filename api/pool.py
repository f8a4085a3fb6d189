"""Threads for work that must not hold up the event loop, with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from .problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """Runs at most `threads` calls at once and lets `queue` more wait.

    Only used from the event loop, so the count of calls needs no lock.
    """

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"twindex-{name}")
        self._most = threads + queue
        self._active = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(...)`. Raises Problem 429 when too many calls wait already."""
        if self._active >= self._most:
            raise Problem(
                429,
                f"{self._active} requests are under way or waiting; try again in a second",
                headers={"Retry-After": "1"},
            )
        self._active += 1
        try:
            return await asyncio.wrap_future(self._executor.submit(work, *args, **kwargs))
        finally:
            self._active -= 1

    def close(self) -> None:
        """Wait for calls under way; those that wait are dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)
