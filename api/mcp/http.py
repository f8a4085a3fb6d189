"""The MCP server as an ASGI application: streamable HTTP without sessions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from ..serving.settings import Settings
from .cancelling import RunningCalls
from .local import LocalBackend
from .places import Place
from .server import build_server, require_mcp

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class Assistants:
    """Serves the tools over HTTP. The package `mcp` is imported at the first request.

    A connection has no session: every request is complete, so a restarted server continues, and
    several servers can share the requests of a client.
    """

    def __init__(self, most: int) -> None:
        """most: maximum size of the body of a request, in bytes."""
        self._most = most
        self._calls = RunningCalls()
        self._lock = asyncio.Lock()
        self._manager: StreamableHTTPSessionManager | None = None
        self._running: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def reply(self, scope: Scope, raw: bytes, receive: Receive, send: Send) -> None:
        """Reply to a request.

        raw:     body of the request.
        receive: ASGI function that returns the next message after the body.

        Raises MissingExtraError if the package `mcp` is not installed.
        """
        if self._manager is None:
            async with self._lock:
                if self._manager is None:
                    await self._start()
        manager = self._manager
        assert manager is not None, "it was started"
        body: list[Message] = [{"type": "http.request", "body": raw, "more_body": False}]

        async def received() -> Message:
            return body.pop() if body else await receive()

        async def serve(send: Send) -> None:
            await manager.handle_request(scope, received, send)

        await self._calls.serve(scope, raw, send, serve)

    async def _start(self) -> None:
        await asyncio.to_thread(require_mcp)
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
        from sse_starlette.sse import AppStatus

        # By default, this library cuts its replies as soon as the server begins to stop.
        AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]
        server = build_server(backend_of, place_of)
        manager = StreamableHTTPSessionManager(
            server, stateless=True, max_request_body_size=self._most
        )
        ready = asyncio.Event()
        # The manager must begin and end in the same task.
        self._running = asyncio.create_task(self._run(manager, ready))
        await ready.wait()
        self._manager = manager

    async def _run(self, manager: StreamableHTTPSessionManager, ready: asyncio.Event) -> None:
        async with manager.run():
            ready.set()
            await self._stopping.wait()

    async def close(self) -> None:
        """Cancel the calls that run, and end."""
        self._stopping.set()
        if self._running is not None:
            await self._running


@asynccontextmanager
async def assistants(settings: Settings) -> AsyncIterator[Assistants]:
    """Return a context manager for the tools of a server, which ends their calls at its end."""
    found = Assistants(settings.max_body_bytes)
    try:
        yield found
    finally:
        await found.close()


def backend_of(context: Any) -> LocalBackend:
    """Return the collections that a request sees."""
    request: Request = context.request
    return LocalBackend(request.state.calls)


def place_of(context: Any) -> Place:
    """Return what the tools of a request may read, from its path."""
    request: Request = context.request
    return Place(request.path_params.get("collection"), str(request.base_url))
