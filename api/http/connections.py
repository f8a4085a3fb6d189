"""Closes connections that hold a place and do not use it, and keeps a few places free.

`uvicorn` closes a connection that is idle after an answer. It waits forever for a first request,
for the rest of a body, and for a client that does not read. `guarded` adds these limits.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..serving.problems import Problem
from ..serving.settings import OPEN_PATHS, Settings

logger = logging.getLogger(__name__)

RESERVE = 16
"""Connections beyond `max_connections`, on which only `OPEN_PATHS` are answered."""
QUIET_SECONDS = 60.0
"""A condition that lasts is logged once in this time."""


class Transport:
    """Counts the bytes handed to a transport; does everything else as the transport does."""

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
    """Bytes that had moved when the present window of time began."""

    since: float
    moved: int


@dataclass(slots=True, eq=False)
class Connection:
    """What the guard knows of one connection.

    waiting: since when it has waited for the whole head of a request; None while one is under way.
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
    """The connections of one server. Only used from the event loop."""

    settings: Settings
    most: int
    protocols: dict[Any, Connection] = field(default_factory=dict)
    _warned: dict[str, float] = field(default_factory=dict)

    def add(self, protocol: Any, transport: Transport) -> bool:
        """Count a connection; False when only `OPEN_PATHS` are to be answered on it.

        When all places are taken, the connection that has waited longest for a request gives way.
        """
        now = monotonic()
        full = len(self.protocols) >= self.most and not self._make_room()
        if full and len(self.protocols) >= self.most + RESERVE:
            self.warn("every connection has a request under way; new ones are refused")
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
        """Log a message, once in `QUIET_SECONDS`."""
        now = monotonic()
        if now - self._warned.get(message.partition(" ")[2], -QUIET_SECONDS) >= QUIET_SECONDS:
            self._warned[message.partition(" ")[2]] = now
            logger.warning(message)

    async def watch(self) -> None:
        """Sweep until cancelled."""
        settings = self.settings
        shortest = min(settings.head_seconds, settings.stall_seconds)
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            self.sweep(monotonic())

    def sweep(self, now: float) -> None:
        """Close the connections that are too slow at `now`."""
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
                found.waiting = now  # The client is still reading; that has its own limit.
            # After an answer, uvicorn closes what stays idle; a head that has begun is timed here.
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
        """Whether fewer bytes moved than `min_rate` asks for, in the window that has just ended."""
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
    """The application where only `OPEN_PATHS` are answered."""
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
    response: Response = problem.response("none")
    await response(scope, receive, send)


if TYPE_CHECKING:
    _Base = H11Protocol
else:
    _Base = object


class _Guarded(_Base):
    """Reports to `guard`; a subclass sets it."""

    guard: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        counted = Transport(transport)
        super().connection_made(counted)  # type: ignore[arg-type]
        if not self.guard.add(self, counted):
            app: Any = self.app

            async def answer(scope: Scope, receive: Receive, send: Send) -> None:
                await reserved(app, scope, receive, send)

            self.app = answer

    def data_received(self, data: bytes) -> None:
        found = self.guard.protocols.get(self)
        if found is not None:
            found.received += len(data)
        super().data_received(data)
        if found is not None and self.cycle is not None and not self.cycle.response_complete:
            found.waiting = None

    def on_response_complete(self) -> None:
        found = self.guard.protocols.get(self)
        if found is not None:
            found.waiting = monotonic()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.protocols.pop(self, None)
        super().connection_lost(exc)


def guarded(connections: Connections) -> type[asyncio.Protocol]:
    """The protocol class for `uvicorn.Config(http=...)`: the quickest parser that is installed."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        bases: tuple[type, ...] = (_Guarded, H11Protocol)
    else:
        bases = (_Guarded, HttpToolsProtocol)
    return type("GuardedProtocol", bases, {"guard": connections})
