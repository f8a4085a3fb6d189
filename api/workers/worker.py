"""One of several workers: it accepts connections beside the others."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import FastAPI
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from ..http.arrival.accepting import Acceptor
from ..http.arrival.connections import Connections
from ..http.arrival.following import Follower
from ..http.arrival.requirements import connection_limit
from ..http.server import Server, announce, begin, configured, prepared, run
from ..serving.operations.workers import Place
from ..serving.settings import Settings

BEAT_SECONDS = 0.5
"""Time between two signs of life of a worker."""
_LIFELINE = 0
"""File descriptor that ends with the process that started this worker."""


def work(
    root: Path,
    *,
    host: str,
    settings: Settings,
    place: Place,
    listener: socket.socket,
    inner: socket.socket,
) -> None:
    """Serve as one of several workers, until a signal or the end of standard input.

    place:    place of this worker.
    listener: socket for clients, which the workers share.
    inner:    Unix socket on which the worker that writes answers the others.

    Raises the errors of `serve`.
    """
    app = prepared(root, host, settings, place)
    with closing(listener), closing(inner):
        run(Worker(app, root, settings, place, inner), listener)


class Worker(Server):
    """The server of a worker.

    app:   the application.
    root:  folder of the collections.
    place: place of this worker.
    inner: Unix socket on which the worker that writes answers the others.
    """

    def __init__(
        self, app: FastAPI, root: Path, settings: Settings, place: Place, inner: socket.socket
    ) -> None:
        connections = Connections(settings, connection_limit(settings.max_connections))
        super().__init__(
            configured(app, settings, connections),
            settings.shutdown_seconds,
            connections,
            partial(self._started, root, app),
        )
        self._place = place
        if place.writes:  # The others reload when this one has reloaded.
            self.reloading = app.state.service.reloading
        self._follower: Follower = app.state.follower
        self._inner = inner
        self._acceptor: Acceptor | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def _started(self, root: Path, app: FastAPI) -> None:
        if self._place.writes and not self._place.restarted:
            announce(root, app.state.service)
        begin(root, None, app.state.service)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets is not None, "another process has bound the socket"
        await super().startup([])
        loop = asyncio.get_running_loop()
        loop.add_reader(_LIFELINE, self._orphaned)
        if self._place.writes:
            make = partial(self._protocol, AutoHTTPProtocol)
            self.servers.append(await loop.create_unix_server(make, sock=self._inner))
        kind: Any = self.config.http_protocol_class
        self._acceptor = Acceptor(
            sockets[0],
            partial(self._protocol, kind),
            self.config.ssl,
            self._connections,
            self._place,
        )
        self._tasks = [
            asyncio.create_task(self._attend(self._acceptor)),
            asyncio.create_task(self._beat()),
        ]

    def _protocol(self, kind: Any) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        protocol: asyncio.Protocol = kind(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    async def _attend(self, acceptor: Acceptor) -> None:
        """Accept connections. A worker that replaces another one loads its collections first."""
        if self._place.restarted:
            await self._follower.loaded()
        self._place.board.enter(self._place.number, "loading")
        acceptor.start()
        await self._follower.attend(acceptor.publish)

    async def _beat(self) -> None:
        """Show the other workers that this one reacts, until cancelled."""
        while True:
            self._place.board.beat(self._place.number)
            await asyncio.sleep(BEAT_SECONDS)

    def _orphaned(self) -> None:
        """Stop, because the process that started this one has ended."""
        if not os.read(_LIFELINE, 1):
            asyncio.get_running_loop().remove_reader(_LIFELINE)
            self.should_exit = True

    async def leave(self) -> None:
        """Accept no more connections. The worker that writes waits for the others to end."""
        for task in self._tasks[:1]:
            task.cancel()
        if self._acceptor is not None:
            self._acceptor.stop()
        board, own = self._place.board, self._place.number
        until = monotonic() + self._seconds
        while self._place.writes and monotonic() < until:
            if not any(number != own for number in board.alive()):
                break
            await asyncio.sleep(0.05)
        for task in self._tasks:
            task.cancel()
        board.enter(own, "stopping")
