"""Replies that are streams of server-sent events, which a thread creates."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from threading import Semaphore
from time import monotonic

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...core.sse import COMMENT, MEDIA_TYPE, encoded
from ..serving.limits.deadline import Deadline
from ..serving.problems import Problem, problem_of
from .admission import Budget, client_left
from .reply import PIECE

logger = logging.getLogger(__name__)

QUEUE = 1_000
"""Maximum number of events that wait until the client has read earlier ones. Then their thread
waits. Most answers have fewer events, so a slow client does not keep a thread busy."""

WAIT_SECONDS = 0.05
"""Seconds between two checks of the deadline while a thread waits for a slow client."""

PING_SECONDS = 5.0
"""Seconds without an event after which a comment is sent, so that no proxy closes the connection
and a client that has left is noticed."""


class Channel:
    """Passes events from a thread to the event loop. At most `QUEUE` events wait.

    deadline: time limit of the request. After `close`, its `check` ends the work in the thread.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.begun = False
        """True once an event was put."""
        self._loop = asyncio.get_running_loop()
        self._items: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._places = Semaphore(QUEUE)
        self._work: asyncio.Task[None] | None = None

    def put(self, event: bytes) -> None:
        """Pass an event to the event loop. The thread calls this. Waits while `QUEUE` events wait.

        Raises ClientGone after `close`, and Problem 504 after the deadline.
        """
        self.begun = True
        while not self._places.acquire(timeout=WAIT_SECONDS):
            self.deadline.check()
        self.deadline.check()
        self._loop.call_soon_threadsafe(self._items.put_nowait, event)

    def start(self, work: Callable[[], Awaitable[object]]) -> None:
        """Start `work`.

        After the end of `work`, `get` returns None, or raises the exception that ended `work`.
        """
        self._work = asyncio.ensure_future(self._until_done(work))

    async def _until_done(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - `get` raises it
            self._items.put_nowait(error)
        else:
            self._items.put_nowait(None)

    async def get(self) -> bytes | None:
        """Return the next event; None after the last. Raises the exception that ended the work."""
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        if item is not None:
            self._places.release()
        return item

    def close(self) -> None:
        """End the work: its next call of `put` or of the deadline's guard raises ClientGone."""
        self.deadline.gone = True
        self._places.release(QUEUE)
        if self._work is not None:
            self._work.cancel()


Failure = Callable[[Problem, str], bytes]
"""Function that returns the last event of a stream for a problem and the id of the request."""


def _problem_event(problem: Problem, request_id: str) -> bytes:
    return encoded("error", problem.body(request_id))


class EventStream(Response):
    """A reply whose body is a stream of events.

    If the work fails, or the deadline passes, `failure` makes the last event; by default it is
    `error`, with problem details. If the client leaves, the work is ended at once.

    first:   the first event, which the caller has already received from the channel.
    failure: returns the event for a problem; it receives the problem and the request id.
    """

    media_type = MEDIA_TYPE

    def __init__(
        self, request: Request, channel: Channel, first: bytes, failure: Failure = _problem_event
    ) -> None:
        # A proxy must neither store the events nor hold them back (nginx: X-Accel-Buffering).
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._request = request
        self._channel = channel
        self._first = first
        self._failed = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.ensure_future(client_left(receive))
        replies: Budget = self._request.app.state.admission.replies
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            await send(head)
            try:
                async with aclosing(self._events(leaving)) as events:
                    async for event in events:
                        await _send(send, event, replies)
            except Exception as error:  # noqa: BLE001 - the stream has begun
                await _send(send, self._failure(error), replies)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            self._channel.close()

    async def _events(self, leaving: asyncio.Future[None]) -> AsyncGenerator[bytes]:
        """Yield the events until the work ends or the client leaves, and comments between them."""
        deadline, event = self._channel.deadline, self._first
        while True:
            yield event
            getting = asyncio.ensure_future(self._channel.get())
            try:
                while not getting.done():
                    seconds = deadline.at - monotonic()
                    if seconds <= 0:
                        raise deadline.late()
                    await asyncio.wait(
                        (getting, leaving),
                        timeout=min(seconds, PING_SECONDS),
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    if leaving.done():
                        return
                    if not getting.done():
                        yield COMMENT
                following = getting.result()
            finally:
                getting.cancel()
            if following is None:
                return
            event = following

    def _failure(self, error: Exception) -> bytes:
        """Return the event `error` for an exception."""
        request_id: str = self._request.state.request_id
        try:
            problem = problem_of(error, self._request.state.service.root)
        except Exception:
            logger.exception("request %s failed", request_id)
            problem = Problem(500, "an unexpected error; search the log for this request_id")
        return self._failed(problem, request_id)


async def event_stream(
    request: Request,
    deadline: Deadline,
    work: Callable[[Channel], Awaitable[object]],
    failure: Failure = _problem_event,
) -> EventStream:
    """Start `work`, which puts events into a channel. Return a reply that streams the events.

    failure: returns the last event for a problem that ends the stream.

    Returns when the first event is there. If `work` fails before its first event, raises the
    exception of `work`.
    """
    channel = Channel(deadline)
    channel.start(lambda: work(channel))
    first = None
    try:
        first = await deadline.wait(channel.get())
        assert first is not None, "the work puts an event"
        return EventStream(request, channel, first, failure)
    finally:
        if first is None:
            channel.close()


async def _send(send: Send, event: bytes, replies: Budget) -> None:
    """Send an event, in pieces if it is large. replies: memory budget for large replies.

    Raises Problem 503 if a large event does not fit into the budget.
    """
    large = len(event) > PIECE
    if large and not replies.take(len(event)):
        raise Problem(
            503,
            "replies to slow clients use all memory for replies (setting `reply_memory`); try "
            "again in a few seconds, or request less at once",
            code="overloaded",
        )
    try:
        for at in range(0, len(event), PIECE):
            piece = event[at : at + PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        if large:
            replies.give(len(event))
