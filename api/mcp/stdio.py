"""Serve the tools on standard input and output, for an assistant that starts this process."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from ...client import AsyncClient
from .backend import Backend, RemoteBackend
from .places import Place
from .server import build_server, require_mcp

Opening = Callable[[], AbstractAsyncContextManager[Backend]]


def serve_remote(
    url: str, *, api_key: str | None, timeout: float, patience: float, only: str | None
) -> None:
    """Serve the collections of a running service, until standard input ends.

    url:      address of the service.
    api_key:  key of the service; None: no key is sent.
    timeout:  seconds to wait for a reply of the service.
    patience: seconds to wait for a service that is unreachable, loading or overloaded.
    only:     name of the only collection to serve; None: all collections.

    Raises MissingExtraError if the package `mcp` is not installed, and InvalidInputError for an
    invalid address or key.
    """
    require_mcp()
    client = AsyncClient(url, api_key=api_key, timeout=timeout, patience=patience)
    base = url.rstrip("/") + "/"
    serve(lambda: _Remote(client), Place(only, base))


class _Remote:
    """Opens the backend of a client, and closes the client at the end."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def __aenter__(self) -> Backend:
        return RemoteBackend(self._client)

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()


def serve(backend: Opening, place: Place) -> None:
    """Serve a backend on standard input and output, until standard input ends.

    Only messages of the protocol are written to standard output. Meanwhile, the process's standard
    output is its standard error, so nothing else can get between the messages.

    backend: function that opens the backend, in the event loop that serves it.

    Raises BrokenPipeError if the assistant ended before a message was written.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
    with suppress(ValueError):  # Only the main thread sets handlers.
        # The thread that reads standard input cannot be interrupted, so Python could not end.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        asyncio.run(_serve(backend, place))
    except BaseExceptionGroup as group:
        if group.split(BrokenPipeError)[1] is not None:
            raise
        raise BrokenPipeError from None  # The assistant has ended.


async def _serve(opening: Opening, place: Place) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write), opening() as backend:
        server = build_server(lambda _: backend, lambda _: place)
        await server.run(read, write, server.create_initialization_options())
