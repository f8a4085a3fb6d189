"""Accept connections in several workers: the worker with the fewest takes the next one."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...serving.operations.workers import Place
from .connections import Connections

YIELD_SECONDS = 0.002
"""Time that a worker leaves a new connection to workers with fewer connections."""
PAUSE_SECONDS = 1.0
"""Time without new connections after a failure, such as too few file descriptors."""
_GONE = (errno.ECONNABORTED, errno.EPROTO, errno.EINTR)
_EMPTY = (errno.EAGAIN, errno.EWOULDBLOCK)


class Acceptor:
    """Accepts connections on a socket that several processes share.

    asyncio accepts all connections that wait, so that one worker would take those of all clients
    that connect at the same time, and keep them.

    listener:    the socket.
    protocol:    makes the protocol of a connection.
    tls:         context of HTTPS; None: HTTP.
    connections: the connections of this worker.
    place:       place of this worker.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        connections: Connections,
        place: Place,
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._tls = tls
        self._connections = connections
        self._place = place
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._yielded = False
        listener.setblocking(False)

    def start(self) -> None:
        """Begin to accept connections."""
        self._timer = None
        self._loop.add_reader(self._listener, self._accept)

    def stop(self) -> None:
        """Accept no more connections."""
        self._loop.remove_reader(self._listener)
        if self._timer is not None:
            self._timer.cancel()

    def publish(self) -> int:
        """Let other workers know the number of connections. Returns it."""
        number = len(self._connections.protocols) + len(self._tasks)
        self._place.board.connect(self._place.number, number)
        return number

    def _accept(self) -> None:
        fewest = self._place.board.fewest(self._place.number)
        if not self._yielded and fewest is not None and self.publish() > fewest:
            self._yielded = True
            self._pause(YIELD_SECONDS)
            return
        self._yielded = False
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            if error.errno not in (*_EMPTY, *_GONE):
                context: dict[str, Any] = {"message": "accept failed", "exception": error}
                self._loop.call_exception_handler(context)
                self._pause(PAUSE_SECONDS)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._connect(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.publish()

    async def _connect(self, connection: socket.socket) -> None:
        with suppress(OSError):  # The client left, or its handshake failed.
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self._tls)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(seconds, self.start)
