"""Runs the application until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import math
import os
import resource
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import uvicorn

from ...core import ConfigError, ConflictError
from ...core.config import Device
from ..serving.settings import Settings
from .app import create_app
from .connections import RESERVE, Connections, guarded
from .logs import configure

logger = logging.getLogger(__name__)


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    settings: Settings | None = None,
    device: Device | None = None,
    rerankers: Path | None = None,
) -> None:
    """Serve the collections under `root` until SIGINT or SIGTERM; requests under way may end.

    What takes longer than `shutdown_seconds`, such as a merge, ends with the process: it exits with
    status 1. What is on disk is sound at every moment, and the next start continues jobs.

    port: 0 = any free one; the log says which. settings: None = from the environment. device,
    rerankers: where models run, and the file of rerankers, whatever the settings say. Raises
    NotFoundError (no such folder), ConflictError (the port is taken) or ConfigError.
    """
    settings = settings or Settings.from_environment(os.environ)
    given = {"device": device, "rerankers": rerankers}
    update = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update=update)
    configure(settings.log_level, settings.log_format)
    # A line for each request to a language model's server: hundreds for one reranking.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"{port} is not between 0 and 65535", field="port")
    app = create_app(root, settings, host=host)
    connections = Connections(settings, _places(settings.max_connections))
    with closing(_listen(host, port)) as listener:
        shown = f"[{host}]" if ":" in host else host
        logger.info("serving %s at http://%s:%d", root, shown, listener.getsockname()[1])
        if settings.api_key is None and not _loopback(host):
            logger.warning("everybody who reaches %s may read and write: set TWINDEX_API_KEY", host)
        config = uvicorn.Config(
            app,
            http=guarded(connections),
            ws="none",
            timeout_keep_alive=math.ceil(settings.idle_seconds),
            log_config=None,
            access_log=False,  # `Frame` writes it, with the request's id.
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_seconds,
        )
        try:
            _Server(config, settings.shutdown_seconds, connections).run(sockets=[listener])
        except KeyboardInterrupt:
            logger.info("stopped")


class _Server(uvicorn.Server):
    """A server whose process ends in bounded time: threads cannot be stopped from outside."""

    def __init__(self, config: uvicorn.Config, seconds: int, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._watch: asyncio.Task[None] | None = None
        self._guard = threading.Timer(seconds + 1, _exit)
        self._guard.daemon = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._report)
        await super().startup(sockets)
        self._watch = asyncio.create_task(self._connections.watch())

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what the event loop met. Without descriptors it meets the same thousands of times a
        second; it accepts no connection for a second then."""
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            self._connections.warn(f"{error.strerror}: no connections are accepted for a second")
        else:
            loop.default_exception_handler(context)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._guard.start()
        await super().shutdown(sockets)
        if self._watch is not None:
            self._watch.cancel()
        if not self.force_exit:  # Forced, nothing was waited for, but Python would at its end.
            self._guard.cancel()


def _places(most: int) -> int:
    """Connections that the process may have: at most half of its descriptors, after raising their
    limit as far as it may be raised for `most`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (most + RESERVE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return most
    places = max(1, soft // 2 - RESERVE)
    logger.warning(
        "%d connections at most, not %d: the process may open %d files (ulimit -n)",
        places,
        most,
        soft,
    )
    return places


def _exit() -> None:
    logger.warning("stopped in the middle of work; the next start continues it")
    os._exit(1)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError) as error:
        raise ConfigError(f"{host!r} cannot be listened on: {error}", field="host") from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        raise ConflictError(
            f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
        ) from None
    return listener


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
