"""The time limit of a call, for callers on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from ....core import Guard
from ....core.trace import late
from ..problems import ClientGone, Problem
from ..settings import Settings

T = TypeVar("T")

Leaving = Callable[[], Coroutine[Any, Any, object]]
"""Function whose coroutine returns when the caller no longer waits for the result."""

_SEARCH = (
    "send fewer searches at once, a smaller `depth`, a simpler filter, or fewer documents to rerank"
)
_EMBED = "send fewer or shorter texts in one request"
_ANSWER = "request fewer `max_tokens`, or set `timeout_ms` to get the text until then"


def _nothing() -> None:
    """Do nothing: nobody waits."""


@dataclass(slots=True)
class Deadline:
    """The time limit of a search, a reranking or an answer.

    seconds:    maximum time from the start of the call to its end.
    page_bytes: maximum size of the page of results, in bytes.
    setting:    name of the server's setting that sets the limit.
    remedy:     what the client can do if the call takes too long.
    leaving:    returns when the client has left; None: the client never leaves without cancelling
                its call.
    at:         latest end of the call, on the monotonic clock.
    gone:       True once the client has left.
    own_ms:     time limit of the request in milliseconds; None: it has none.
    """

    seconds: float
    page_bytes: int
    setting: str = "search_seconds"
    remedy: str = _SEARCH
    leaving: Leaving | None = None
    at: float = field(init=False)
    gone: bool = field(default=False, init=False)
    own_ms: float | None = field(default=None, init=False)
    _lowered: Callable[[], None] = field(default=_nothing, init=False)

    def __post_init__(self) -> None:
        self.at = monotonic() + self.seconds

    @classmethod
    def of(cls, settings: Settings, leaving: Leaving | None = None) -> Deadline:
        """Return a deadline for a search or a reranking that starts now."""
        return cls(settings.search_seconds, settings.page_bytes, leaving=leaving)

    @classmethod
    def of_answer(cls, settings: Settings, leaving: Leaving | None = None) -> Deadline:
        """Return a deadline for an answer that starts now."""
        seconds, setting = settings.answer_seconds, "answer_seconds"
        return cls(seconds, settings.page_bytes, setting, _ANSWER, leaving)

    @classmethod
    def of_embedding(cls, settings: Settings, leaving: Leaving | None = None) -> Deadline:
        """Return a deadline for a request for embeddings that starts now."""
        seconds, setting = settings.embed_seconds, "embed_seconds"
        return cls(seconds, settings.page_bytes, setting, _EMBED, leaving)

    @property
    def guard(self) -> Guard:
        """A guard for a search in a thread. It calls `check`, whose exception stops the search."""
        return Guard(self.check, self.page_bytes)

    def limit(self, milliseconds: float | None) -> None:
        """Lower the time limit to that of a request, which began when the call began.

        Call it at most once, in any thread.
        """
        if milliseconds is not None and milliseconds < self.seconds * 1e3:
            self.own_ms = milliseconds
            self.at = min(self.at, self.at - self.seconds + milliseconds / 1e3)
            self._lowered()

    def check(self) -> None:
        """Raise ClientGone if the client has left, or Problem 504 after the limit."""
        if self.gone:
            raise ClientGone
        if monotonic() >= self.at:
            raise self.late()

    def late(self) -> Problem:
        """Return the Problem 504 for a call that took too long."""
        if self.own_ms is not None:
            return Problem(504, late(self.own_ms))
        return Problem(
            504,
            f"the request took longer than {self.seconds:g} s (setting `{self.setting}`); "
            f"{self.remedy}",
        )

    async def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` and return its result.

        Raises ClientGone if the client leaves, and Problem 504 after the limit, even if `limit`
        lowers it meanwhile and a thread is in a long call of a model. In both cases, and if the
        caller is cancelled, `work` is cancelled if it still waits for a thread. If it already runs
        in a thread, it ends at its next call of `check`.
        """
        task = asyncio.ensure_future(work)
        waited: list[asyncio.Future[Any]] = [task]
        if self.leaving is not None:
            waited.append(asyncio.ensure_future(self.leaving()))
        try:
            await self._first(waited)
            if task.done():
                return task.result()
            if any(one.done() for one in waited):
                self.gone = True
                raise ClientGone
            raise self.late()
        finally:
            self._lowered = _nothing
            if not task.done():
                self.at = 0.0
            for one in waited:
                one.cancel()

    async def _first(self, waited: Sequence[asyncio.Future[Any]]) -> None:
        """Wait for one of the futures, or until the limit."""
        loop = asyncio.get_running_loop()
        while True:
            lowered = loop.create_future()
            self._lowered = partial(_complete, loop, lowered)
            await asyncio.wait(
                (*waited, lowered),
                timeout=max(0.0, self.at - monotonic()),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not lowered.done() or any(one.done() for one in waited):
                return


def _complete(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    """Complete a future of the loop, from any thread."""

    def complete() -> None:
        if not future.done():
            future.set_result(None)

    with suppress(RuntimeError):  # The loop is closed: nobody waits.
        loop.call_soon_threadsafe(complete)
