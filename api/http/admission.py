"""Limits on requests: memory for request bodies and replies, and the time of a search."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.types import Receive

from ...core import Guard
from ..serving.problems import ClientGone, Problem
from ..serving.settings import Settings

T = TypeVar("T")


class Budget:
    """A limit on the bytes that all requests reserve together.

    It has no lock, because only the event loop uses it.

    most:  maximum number of reserved bytes.
    taken: number of bytes that are reserved now.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        """Reserve `size` bytes. Return False, and reserve nothing, if they do not fit.

        While nothing is reserved, any size fits, even one above `most`.
        """
        if self.taken and self.taken + size > self.most:
            return False
        self.taken += size
        return True

    def give(self, size: int) -> None:
        """Release `size` reserved bytes."""
        self.taken -= size


@dataclass(slots=True)
class Admission:
    """The memory budgets of one server: one for request bodies and one for replies."""

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
    """The reservation of one request's body in the budget for bodies.

    size: number of reserved bytes.
    """

    budget: Budget
    size: int = 0

    def announce(self, size: int) -> None:
        """Raise Problem 503 if a body of `size` bytes does not fit into the budget now.

        Reserves nothing. A client that announces a large body and does not send it therefore blocks
        no memory.
        """
        if self.budget.taken and self.budget.taken + size > self.budget.most:
            raise _overloaded()

    def grow(self, size: int) -> None:
        """Increase the reservation to `size` bytes. Raises Problem 503 if they do not fit."""
        if size > self.size:
            if not self.budget.take(size - self.size):
                raise _overloaded()
            self.size = size

    def release(self) -> None:
        """Release the whole reservation."""
        self.budget.give(self.size)
        self.size = 0


def _overloaded() -> Problem:
    return Problem(
        503,
        "other requests use all memory for bodies (setting `body_memory`); send the request again "
        "in a few seconds",
        code="overloaded",
        headers={"Retry-After": "5", "Connection": "close"},
    )


@dataclass(slots=True)
class Deadline:
    """The time limit of a search, a reranking or an answer.

    seconds:    maximum time from the start of the request to its end.
    page_bytes: maximum size of the page of results, in bytes.
    setting:    name of the server's setting that sets the limit.
    remedy:     what the client can do if the request takes too long.
    at:         latest end of the request, on the monotonic clock.
    gone:       True once the client has closed the connection.
    """

    seconds: float
    page_bytes: int
    setting: str = "search_seconds"
    remedy: str = (
        "send fewer searches at once, a smaller `depth`, a simpler filter, or fewer documents to "
        "rerank"
    )
    at: float = field(init=False)
    gone: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.at = monotonic() + self.seconds

    @classmethod
    def of(cls, request: Request) -> Deadline:
        """Return a deadline for a request that starts now, from the server's settings."""
        settings: Settings = request.app.state.settings
        return cls(settings.search_seconds, settings.page_bytes)

    @classmethod
    def of_answer(cls, request: Request) -> Deadline:
        """Return a deadline for an answer that starts now, from the server's settings."""
        settings: Settings = request.app.state.settings
        remedy = "request fewer `max_tokens`, or set `timeout_ms` to get the text until then"
        return cls(settings.answer_seconds, settings.page_bytes, "answer_seconds", remedy)

    @property
    def guard(self) -> Guard:
        """A guard that calls `check` during a search. An exception of `check` stops the search."""
        return Guard(self.check, self.page_bytes)

    def check(self) -> None:
        """Raise ClientGone if the client closed the connection, or Problem 504 after the limit."""
        if self.gone:
            raise ClientGone
        if monotonic() >= self.at:
            raise self.late()

    def late(self) -> Problem:
        """Return the Problem 504 for a request that took too long."""
        return Problem(
            504,
            f"the request took longer than {self.seconds:g} s (setting `{self.setting}`); "
            f"{self.remedy}",
        )

    async def wait(self, request: Request, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` and return its result.

        Raises ClientGone if the client closes the connection, and Problem 504 after the limit. In
        both cases, work that still waits for a thread is cancelled. Work that already runs in a
        thread ends at its next call of `check`.
        """
        task = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(client_left(request.receive))
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


async def client_left(receive: Receive) -> None:
    """Wait until the client has closed the connection. receive: the ASGI function."""
    while (await receive())["type"] != "http.disconnect":
        pass
