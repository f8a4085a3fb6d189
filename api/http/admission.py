"""What requests may hold at once: bytes of bodies and replies, and the time of a search."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from starlette.requests import Request

from ...core import Guard
from ..serving.problems import ClientGone, Problem
from ..serving.settings import Settings

T = TypeVar("T")


class Budget:
    """Bytes that may be held at once. Only used from the event loop, so it needs no lock."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        """Reserve `size` bytes; False, and nothing is reserved, when they do not fit.

        What is larger than the whole budget fits when nothing else is held.
        """
        if self.taken and self.taken + size > self.most:
            return False
        self.taken += size
        return True

    def give(self, size: int) -> None:
        self.taken -= size


@dataclass(slots=True)
class Admission:
    """The budgets of one server."""

    bodies: Budget
    replies: Budget

    @classmethod
    def of(cls, settings: Settings) -> Admission:
        return cls(
            Budget(max(settings.body_memory, settings.max_body_bytes)),
            Budget(settings.reply_memory),
        )


@dataclass(slots=True)
class Hold:
    """The bytes that the body of one request holds of a budget."""

    budget: Budget
    size: int = 0

    def announce(self, size: int) -> None:
        """Raise Problem 503 when a body of this size does not fit now. Reserves nothing: who
        announces much and sends nothing takes nothing from others."""
        if self.budget.taken and self.budget.taken + size > self.budget.most:
            raise _full()

    def grow(self, size: int) -> None:
        """Reserve up to `size` bytes in all. Raises Problem 503 when they do not fit."""
        if size > self.size:
            if not self.budget.take(size - self.size):
                raise _full()
            self.size = size

    def release(self) -> None:
        self.budget.give(self.size)
        self.size = 0


def _full() -> Problem:
    return Problem(
        503,
        "the bodies of other requests use all memory set aside for them (`body_memory`); "
        "send it again in a few seconds",
        code="overloaded",
        headers={"Retry-After": "5", "Connection": "close"},
    )


@dataclass(slots=True)
class Deadline:
    """When a search or a reranking has to end, and whether somebody still waits for it."""

    seconds: float
    page_bytes: int
    at: float = field(init=False)
    gone: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.at = monotonic() + self.seconds

    @classmethod
    def of(cls, request: Request) -> Deadline:
        """The deadline of what begins now."""
        settings: Settings = request.app.state.settings
        return cls(settings.search_seconds, settings.page_bytes)

    @property
    def guard(self) -> Guard:
        """For the collection; it is used from other threads."""
        return Guard(self.check, self.page_bytes)

    def check(self) -> None:
        """Raise ClientGone or Problem 504 when it has to end."""
        if self.gone:
            raise ClientGone
        if monotonic() >= self.at:
            raise self.late()

    def late(self) -> Problem:
        return Problem(
            504,
            f"the request took longer than {self.seconds:g} s (`search_seconds`); ask for fewer "
            "searches at once, a smaller `depth`, a simpler filter, or fewer documents to rerank",
        )

    async def wait(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, while the client waits and the time lasts.

        Raises ClientGone when the client leaves and Problem 504 when the time is up. Work that
        waits for a thread is then dropped; work that runs ends at its next check.
        """
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait(
                (task, leaving),
                timeout=max(0.0, self.at - monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if task.done():
                return task.result()
            if leaving.done():
                self.gone = True
                raise ClientGone
            raise self.late()
        finally:
            if not task.done():
                self.at = 0.0
                task.cancel()
            leaving.cancel()


async def _left(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
