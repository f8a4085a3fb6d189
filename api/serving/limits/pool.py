"""Threads for work that must not block the event loop, with a bounded queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import ParamSpec, TypeVar

from ..problems import Problem

P = ParamSpec("P")
T = TypeVar("T")


class Pool:
    """A thread pool that runs at most `threads` calls at once; at most `queue` more calls may wait.

    A call that was cancelled still counts until its thread ends.
    """

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"twindex-{name}")
        self._most = threads + queue
        self._lock = Lock()
        self._active = 0

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(...)` in a thread and return its result.

        Raises Problem 429 if `queue` calls wait already. If the caller is cancelled, a call that
        waits is dropped, and a call that runs continues.
        """
        with self._lock:
            if self._active >= self._most:
                raise Problem(
                    429,
                    f"{self._active} requests are running or waiting; try again in a second",
                    headers={"Retry-After": "1"},
                )
            self._active += 1
        try:
            future = self._executor.submit(work, *args, **kwargs)
        except BaseException:
            self._end(None)
            raise
        future.add_done_callback(self._end)
        return await asyncio.wrap_future(future)

    def _end(self, _: Future[T] | None) -> None:
        with self._lock:
            self._active -= 1

    def close(self) -> None:
        """Wait for the calls that run, and drop the calls that wait."""
        self._executor.shutdown(wait=True, cancel_futures=True)
