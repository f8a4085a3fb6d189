"""What tests of the pool of threads share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any

from twindex.api.serving.limits.pool import TENANT, Pool


@contextmanager
def pool(threads: int = 1, queue: int = 8, seconds: float = 1_000.0) -> Iterator[Pool]:
    made = Pool("test", threads, queue, seconds)
    try:
        yield made
    finally:
        made.close()


def as_tenant(tenant: str, run: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
    """Start a call of a tenant."""

    async def call() -> Any:
        TENANT.set(tenant)
        return await run()

    return asyncio.get_running_loop().create_task(call(), context=copy_context())


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen in 30 s")


class Blocked:
    """A call that runs until `go` is set."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.began.set()
        assert self.go.wait(30)
        return "done"
