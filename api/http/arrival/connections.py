"""Limit the number of connections, and close those that are idle or too slow.

`uvicorn` closes a connection that is idle after a reply. It waits forever for a first request, for
the rest of a body, and for a client that does not read the reply. `guarded` adds time limits for
these waits.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from random import random
from time import monotonic
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ...serving.problems import Problem
from ...serving.settings import OPEN_PATHS, Settings
from ..compat.errors import error_shape
from .gate import Gate

logger = logging.getLogger(__name__)

RESERVE = 16
"""Number of connections in addition to `max_connections`.

On these connections, the server replies only to requests for `OPEN_PATHS`.
"""
PAUSE_SECONDS = 0.1
"""Mean time after a refusal (429) in which the connection is not read. Each time is between a half
and one and a half of it, so that refused clients do not come back all at once."""
HEAD_BYTES = 1 << 16
"""Bytes of a request's line and headers that are read after the first piece."""
QUIET_SECONDS = 60.0
"""Minimum time between two log lines with the same warning."""


class Transport:
    """A transport that counts bytes. handed: number of bytes written to the transport `inner`."""

    def __init__(self, inner: asyncio.Transport) -> None:
        self._inner = inner
        self.handed = 0

    def write(self, data: bytes) -> None:
        self.handed += len(data)
        self._inner.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@dataclass(slots=True)
class Window:
    """A time window for measuring the speed of a connection, in one direction.

    since: start of the window, on the monotonic clock.
    moved: number of bytes received or sent before the window.
    """

    since: float
    moved: int


@dataclass(slots=True, eq=False)
class Connection:
    """The state of one connection.

    opened:   time when it was opened.
    waiting:  time when it began to wait for the head of a request; None while a request runs.
    received: number of bytes received.
    reading:  time window of the body that the server reads; None while it reads none.
    writing:  time window of the reply that the server writes; None while it writes none.
    """

    transport: Transport
    opened: float
    waiting: float | None
    received: int = 0
    reading: Window | None = None
    writing: Window | None = None

    def close(self) -> None:
        self.transport.abort()


@dataclass(slots=True)
class Connections:
    """The connections of one server. It has no lock, because only the event loop uses it.

    most: maximum number of connections, in addition to RESERVE connections for `OPEN_PATHS`.
    """

    settings: Settings
    most: int
    protocols: dict[Any, Connection] = field(default_factory=dict)
    _warned: dict[str, float] = field(default_factory=dict)

    def add(self, protocol: Any, transport: Transport) -> bool:
        """Register a connection. Return True if it may send any request.

        If the maximum number of connections is open, closes the connection that has waited longest
        for a request. If none waits, returns False. The new connection may then only request
        `OPEN_PATHS`. If RESERVE such connections are open already, closes the new connection.
        """
        now = monotonic()
        full = len(self.protocols) >= self.most and not self._make_room()
        if full and len(self.protocols) >= self.most + RESERVE:
            self.warn("all connections have running requests; new connections are refused")
            transport.abort()
            return False
        self.protocols[protocol] = Connection(transport, now, waiting=now)
        return not full

    def _make_room(self) -> bool:
        idle = [
            (found.waiting, protocol)
            for protocol, found in self.protocols.items()
            if found.waiting is not None
        ]
        if not idle:
            return False
        self.warn(f"{len(self.protocols)} connections are open; the longest idle ones are closed")
        _, oldest = min(idle, key=lambda pair: pair[0])
        self.protocols.pop(oldest).close()
        return True

    def warn(self, message: str) -> None:
        """Log a warning, but the same message at most once in `QUIET_SECONDS`."""
        now = monotonic()
        if now - self._warned.get(message.partition(" ")[2], -QUIET_SECONDS) >= QUIET_SECONDS:
            self._warned[message.partition(" ")[2]] = now
            logger.warning(message)

    async def watch(self) -> None:
        """Close slow connections at regular intervals, until cancelled."""
        settings = self.settings
        shortest = min(settings.head_seconds, settings.stall_seconds)
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            self.sweep(monotonic())

    def sweep(self, now: float) -> None:
        """Close the connections that are too slow. now: time on the monotonic clock."""
        for protocol, found in list(self.protocols.items()):
            if self._too_slow(protocol, found, now):
                found.close()

    def _too_slow(self, protocol: Any, found: Connection, now: float) -> bool:
        transport = found.transport
        unread = transport.get_write_buffer_size()
        if not unread:
            found.writing = None
        elif self._stalled(found, "writing", transport.handed - unread, now):
            return True
        cycle = protocol.cycle
        if cycle is None or cycle.response_complete:
            found.reading = None
            if found.waiting is None:
                found.waiting = now
            if unread:
                found.waiting = now  # The client is still reading, which has its own limit.
            # After a reply, uvicorn closes an idle connection, but not one on which the client has
            # begun to send the next request.
            patience = self.settings.head_seconds
            if cycle is not None:
                patience = max(patience, self.settings.idle_seconds)
            return now - found.waiting > patience
        found.waiting = None
        if not cycle.more_body or protocol.flow.read_paused:
            found.reading = None
            return False
        return self._stalled(found, "reading", found.received, now)

    def _stalled(self, found: Connection, what: str, moved: int, now: float) -> bool:
        """Return True if a time window ended in which the connection was slower than `min_rate`.

        what:  "reading" or "writing".
        moved: number of bytes read or written since the connection opened.
        """
        window: Window | None = getattr(found, what)
        if window is None:
            setattr(found, what, Window(now, moved))
            return False
        seconds = now - window.since
        if seconds < self.settings.stall_seconds:
            return False
        setattr(found, what, Window(now, moved))
        return moved - window.moved < max(1.0, self.settings.min_rate * seconds)


async def reserved(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Reply on a reserved connection: run `app` for `OPEN_PATHS`, else send Problem 503."""
    path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
    if scope["type"] != "http" or path in OPEN_PATHS:
        await app(scope, receive, send)
        return
    problem = Problem(
        503,
        "all connections of the server are in use; try again in a few seconds",
        code="overloaded",
        headers={"Retry-After": "5", "Connection": "close"},
    )
    response: Response = problem.response("none", error_shape(path))
    await response(scope, receive, send)


class _Guarded(HttpToolsProtocol):
    """A protocol of `uvicorn` that registers its connections with `guard`.

    guard: set by a subclass.
    gate:  set by a subclass; refuses requests before they are parsed.
    """

    guard: Connections
    gate: Gate | None
    _begun = 0
    """Number of requests whose first byte the parser has read."""
    _done = 0
    _head: int | None = None
    """Number of bytes read since a request began, without its first piece. None: its head is
    complete."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        counted = Transport(transport)
        super().connection_made(counted)  # type: ignore[arg-type]
        if not self.guard.add(self, counted):
            app: Any = self.app

            async def answer(scope: Scope, receive: Receive, send: Send) -> None:
                await reserved(app, scope, receive, send)

            self.app = answer

    def data_received(self, data: bytes) -> None:
        if self._head is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response("The head of the request is too large.")
                return
        found = self.guard.protocols.get(self)
        if found is not None:
            found.received += len(data)
        if self.gate is not None and self.gate.crowded and self._between():
            refusal = self.gate.answer(data)
            if refusal is not None:
                # From here on, `Connections` closes the connection if it is idle.
                self._unset_keepalive_if_required()
                self.transport.write(refusal)
                self._pause(PAUSE_SECONDS)
                if found is not None:
                    found.waiting = monotonic()
                return
        super().data_received(data)
        if self.gate is not None:
            self.gate.passed(self.loop)
        if found is not None and self.cycle is not None and not self.cycle.response_complete:
            found.waiting = None

    def _between(self) -> bool:
        """Return True if the parser has read no byte of a request that is not answered yet."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return False
        cycle = self.cycle
        if cycle is not None and (cycle.more_body or not cycle.response_complete):
            return False
        return self._begun == self._done

    def _pause(self, seconds: float) -> None:
        """Do not read the connection for about this time, after a refusal.

        A client that repeats its request at once would use the time of other requests.
        """
        self.transport.pause_reading()
        self.loop.call_later(seconds * (0.5 + random()), self.transport.resume_reading)

    def on_message_begin(self) -> None:
        self._begun += 1
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head = None
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        self._done += 1
        found = self.guard.protocols.get(self)
        if found is not None:
            found.waiting = monotonic()
        reply = None if self.cycle is None else self.cycle.scope["state"].get("reply")
        super().on_response_complete()
        if reply is not None and reply.status == 429:
            self._pause(reply.pause_seconds or PAUSE_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.protocols.pop(self, None)
        super().connection_lost(exc)


def guarded(connections: Connections, gate: Gate | None = None) -> type[asyncio.Protocol]:
    """Return a protocol class for `uvicorn.Config(http=...)` that registers with `connections`.

    gate: refuses requests before they are parsed; None: all requests are parsed.
    """
    return type("GuardedProtocol", (_Guarded,), {"guard": connections, "gate": gate})
