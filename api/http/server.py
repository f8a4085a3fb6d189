"""Run the server process until a signal stops it."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import uvicorn
from fastapi import FastAPI

from ...core import ConfigError, MissingExtraError
from ...core.config import Device
from ..mcp.server import require_mcp
from ..serving.operations.reloading import Reloading
from ..serving.operations.workers import Place
from ..serving.service import Service
from ..serving.settings import Settings
from .app import create_app
from .arrival.connections import Connections, guarded
from .arrival.hangup import reload_at_hangup
from .arrival.listener import STARTED, address_of, listen
from .arrival.requirements import check_keys, check_tls, connection_limit
from .logs import configure

logger = logging.getLogger(__name__)

SWITCH_SECONDS = 0.00005
"""Time after which a thread must give up the interpreter, if another waits for it.

The event loop gives it up at each system call, twice for a refusal. With Python's default of 5 ms,
beside busy search threads it could answer only about a hundred requests a second.
"""
_NAMED = 8
"""Maximum number of collections whose names the server logs when it starts."""


def serve(
    root: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    settings: Settings | None = None,
    device: Device | None = None,
    rerankers: Path | None = None,
    generators: Path | None = None,
    rewriters: Path | None = None,
) -> None:
    """Serve the collections in the folder `root` in this process, until SIGINT or SIGTERM.

    Running requests may then finish. If they take longer than the setting `shutdown_seconds`, the
    process exits with status 1. The files on disk are consistent at every moment, and the next
    start continues interrupted jobs.

    port:     port to listen on; 0: any free port, which the log shows.
    settings: settings of the server; None: read them from the environment.
    device, rerankers, generators, rewriters: override the settings of the same names.

    Raises NotFoundError if `root` is not a folder, ConflictError if the port is in use, and
    ConfigError for an invalid setting.
    """
    settings = settings or Settings.from_environment(os.environ)
    given = {
        "device": device,
        "rerankers": rerankers,
        "generators": generators,
        "rewriters": rewriters,
    }
    update = {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update=update)
    if settings.workers > 1:
        raise ConfigError("must be 1 in a process; run `twindex serve`", field="workers")
    app = prepared(root, host, settings)
    connections = Connections(settings, connection_limit(settings.max_connections))
    with closing(listen(host, port)) as listener:
        address = address_of(host, listener, settings)
        config = configured(app, settings, connections)
        ready = partial(begin, root, address, app.state.service)
        server = Server(config, settings.shutdown_seconds, connections, ready)
        server.reloading = app.state.service.reloading
        run(server, listener)


def prepared(root: Path, host: str, settings: Settings, place: Place | None = None) -> FastAPI:
    """Return the application, after the settings are checked and logging is configured."""
    configure(settings.log_level, settings.log_format, None if place is None else place.number)
    sys.setswitchinterval(SWITCH_SECONDS)
    # This logger logs each request to a language model's server: hundreds for one reranking.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("mcp").setLevel(logging.WARNING)
    # The name of this logger makes the log lines of a normal start look like errors.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    app = create_app(root, settings, host=host, place=place)
    check_keys(app.state.keyring, host, settings)
    check_tls(settings)
    return app


def configured(app: FastAPI, settings: Settings, connections: Connections) -> uvicorn.Config:
    """Return the configuration of a server whose connections `connections` limits."""
    return uvicorn.Config(
        app,
        http=guarded(connections, app.state.gate),
        ws="none",
        timeout_keep_alive=math.ceil(settings.idle_seconds),
        log_config=None,
        access_log=False,  # `Frame` logs requests, with their id.
        server_header=False,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def run(server: Server, listener: socket.socket) -> None:
    """Answer requests until a signal."""
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        logger.info("stopped")


class Server(uvicorn.Server):
    """A server that ends its process in bounded time, even if threads still run."""

    def __init__(
        self,
        config: uvicorn.Config,
        seconds: int,
        connections: Connections,
        ready: Callable[[], None],
    ) -> None:
        """seconds: time for running requests to finish. ready: called after the start."""
        super().__init__(config)
        self._seconds = seconds
        self._connections = connections
        self._ready = ready
        self._watch: asyncio.Task[None] | None = None
        self.reloading: Reloading | None = None
        self._guard = threading.Timer(seconds + 1, _exit)
        self._guard.daemon = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._report)
        await super().startup(sockets)
        self._watch = asyncio.create_task(self._connections.watch())
        if self.reloading is not None:
            reload_at_hangup(self.reloading, self._end)
        if self.started:
            self._ready()

    def _end(self) -> None:
        self.should_exit = True

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error of the event loop.

        If the process has no free file descriptor, the same error occurs thousands of times per
        second. It is then logged rarely. The event loop accepts no connection for a second.
        """
        error = context.get("exception")
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            self._connections.warn(f"{error.strerror}: no connections are accepted for a second")
        else:
            loop.default_exception_handler(context)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logger.info("stopping")
        self._guard.start()
        await self.leave()
        await super().shutdown(sockets)
        if self._watch is not None:
            self._watch.cancel()
        if not self.force_exit:  # After a forced exit, Python still waits for its threads.
            self._guard.cancel()

    async def leave(self) -> None:
        """Do what has to be done before connections are closed."""


def begin(root: Path, address: str | None, service: Service) -> None:
    """Log the start, and import the package `mcp` in the background, if it is installed.

    address: address to log; None: another process logs the start.
    """
    if address is not None:
        announce(root, service)
        logger.info(STARTED, root, address)
    threading.Thread(target=_import_mcp, args=(service,), daemon=True).start()


def _import_mcp(service: Service) -> None:
    """Import the package `mcp` once all collections and models are loaded.

    The import takes a second, which the first request of an assistant does not wait for then.
    """
    while service.loading:
        sleep(0.5)
    try:
        require_mcp()
    except MissingExtraError:
        pass
    except Exception as error:  # noqa: BLE001 - the first request of an assistant tries again
        logger.info("the package mcp is imported later: %s", type(error).__name__)


def announce(root: Path, service: Service) -> None:
    """Log the collections."""
    names = [served.name for served in service.known()]
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    if names:
        logger.info("collections: %d (%s)", len(names), some)
    else:
        logger.info("collections: none yet; build one with `twindex build %s`", root / "NAME")


def _exit() -> None:
    logger.warning("stopped with work unfinished; the next start continues it")
    os._exit(1)
