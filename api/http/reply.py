"""Send a reply in pieces, within the memory budget for replies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter

from starlette.types import Message, Send

from ..serving.problems import ErrorShape, Problem
from .admission import Budget

PIECE = 1 << 18
"""Size of a piece in bytes. A larger reply is sent in pieces, as fast as the client reads."""

Headers = list[tuple[bytes, bytes]]


class Reply:
    """An ASGI `send` for one request. Adds headers, and sends no faster than the client reads.

    status: HTTP status of the reply; 0 before the application replies.
    limits: function that returns the headers on the limits of the request's key.
    before: function that is called with the status before the reply begins; None: none.
    begun:  True once the status and headers of the reply are sent.
    pause_seconds: mean time after a refusal in which the connection is not read; 0: the usual time.
    """

    def __init__(
        self,
        send: Send,
        budget: Budget,
        request_id: bytes,
        extra: Headers,
        root_path: bytes,
        shape: ErrorShape | None = None,
    ) -> None:
        self._send = send
        self._budget = budget
        self._request_id = request_id
        self._extra = extra
        self._root = root_path
        self._shape = shape
        self._began = perf_counter()
        self._start: Message | None = None
        self._refused = False
        self.limits: Callable[[], Headers] = list
        self.before: Callable[[int], Awaitable[None]] | None = None
        self.status = 0
        self.pause_seconds = 0.0
        self.begun = False

    @property
    def seconds(self) -> float:
        """Number of seconds since the request began."""
        return perf_counter() - self._began

    async def __call__(self, message: Message) -> None:
        if self._refused:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._start = message
            return
        body = message.get("body", b"")
        if len(body) <= PIECE:
            await self._begin()
            await self._send(message)
            return
        if not self._budget.take(len(body)):
            await self._refuse()
            return
        try:
            await self._begin()
            more, view = message.get("more_body", False), memoryview(body)
            for at in range(0, len(body), PIECE):
                last = at + PIECE >= len(body)
                piece = bytes(view[at : at + PIECE])
                await self._send(
                    {"type": "http.response.body", "body": piece, "more_body": more or not last}
                )
        finally:
            self._budget.give(len(body))

    async def passing(self, message: Message) -> None:
        """Send a message of a reply that another process has made, as it is."""
        if message["type"] == "http.response.start":
            self.status, self.begun = message["status"], True
        await self._send(message)

    async def _begin(self) -> None:
        """Send the status and headers of the reply, unless they are already sent."""
        start, self._start = self._start, None
        if start is not None:
            before, self.before = self.before, None
            if before is not None:
                await before(self.status)
            self.begun = True
            start["headers"] = [*self._below_root(start.get("headers", ())), *self._framing()]
            await self._send(start)

    def _framing(self) -> Headers:
        total = b"total;dur=%.2f" % (self.seconds * 1e3)
        return [*self._extra, *self.limits(), (b"server-timing", total)]

    def _below_root(self, headers: Sequence[tuple[bytes, bytes]]) -> Headers:
        """Return the headers, with `root_path` put before the path in the `Location` header."""
        if not self._root:
            return list(headers)
        return [
            (name, self._root + value)
            if name.lower() == b"location" and value.startswith(b"/")
            else (name, value)
            for name, value in headers
        ]

    async def _refuse(self) -> None:
        """Send Problem 503, because the reply does not fit into the memory budget."""
        self._refused = self.begun = True
        problem = Problem(
            503,
            "replies to slow clients use all memory for replies (setting `reply_memory`); try "
            "again in a few seconds, or request less at once",
            code="overloaded",
        )
        self.status = 503
        _, body, media_type = problem.rendered(self._request_id.decode(), self._shape)
        headers = [
            (b"content-type", media_type.encode()),
            (b"retry-after", b"5"),
            *self._framing(),
        ]
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({"type": "http.response.start", "status": 503, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
