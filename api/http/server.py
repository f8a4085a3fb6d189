"""Run the server process until a signal stops it."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import math
import os
import resource
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from time import sleep
from typing import Any

import uvicorn

from ...core import ConfigError, ConflictError, MissingExtraError
from ...core.config import Device
from ..mcp.server import require_mcp
from ..serving.access.keyring import Keyring
from ..serving.operations.reloading import Reloading
from ..serving.service import Service
from ..serving.settings import Settings
from .app import create_app
from .arrival.connections import RESERVE, Connections, guarded
from .arrival.hangup import reload_at_hangup
from .logs import configure

logger = logging.getLogger(__name__)

SWITCH_SECONDS = 0.0002
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
    """Serve the collections in the folder `root` until SIGINT or SIGTERM.

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
    configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_SECONDS)
    # This logger logs each request to a language model's server: hundreds for one reranking.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    logging.getLogger("mcp").setLevel(logging.WARNING)
    # The name of this logger makes the log lines of a normal start look like errors.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    if not 0 <= port <= 65_535:
        raise ConfigError(f"must be between 0 and 65535, got {port}", field="port")
    app = create_app(root, settings, host=host)
    _check_keys(app.state.keyring, host, settings)
    _check_tls(settings)
    connections = Connections(settings, _connection_limit(settings.max_connections))
    with closing(_listen(host, port)) as listener:
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if settings.tls_certificate is None else "https"
        address = f"{scheme}://{shown}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
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
        try:
            ready = partial(_begin, root, address, app.state.service)
            server = _Server(config, settings.shutdown_seconds, connections, ready)
            server.reloading = app.state.service.reloading
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            logger.info("stopped")


class _Server(uvicorn.Server):
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
        self._ready = ready
        self._connections = connections
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
        await super().shutdown(sockets)
        if self._watch is not None:
            self._watch.cancel()
        if not self.force_exit:  # After a forced exit, Python still waits for its threads.
            self._guard.cancel()


def _begin(root: Path, address: str, service: Service) -> None:
    """Log the start, and import the package `mcp` in the background, if it is installed."""
    _announce(root, address, service)
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


def _announce(root: Path, address: str, service: Service) -> None:
    """Log the collections, and then the address of the server."""
    names = [served.name for served in service.known()]
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    if names:
        logger.info("collections: %d (%s)", len(names), some)
    else:
        logger.info("collections: none yet; build one with `twindex build %s`", root / "NAME")
    logger.info(
        "serving %s at %s (search page: /, answer page: /ask, API reference: /docs)", root, address
    )


def _connection_limit(most: int) -> int:
    """Return the maximum number of connections: `most`, or less if file descriptors are few.

    Increases the process's limit of file descriptors if needed. Connections use at most half of it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * (most + RESERVE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return most
    possible = max(1, soft // 2 - RESERVE)
    logger.warning(
        "at most %d connections instead of %d: the process may open only %d files (ulimit -n)",
        possible,
        most,
        soft,
    )
    return possible


def _exit() -> None:
    logger.warning("stopped with work unfinished; the next start continues it")
    os._exit(1)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot listen on {host!r} ({error}); name an address of this machine", field="host"
        ) from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2_048)
    except OSError as error:
        listener.close()
        raise ConflictError(
            f"cannot listen on {host}:{port} ({error.strerror}); choose another --port"
        ) from None
    return listener


def _check_keys(keyring: Keyring, host: str, settings: Settings) -> None:
    """Raise ConfigError for an address beyond loopback without a key, unless it is wanted."""
    if settings.without_keys:
        if keyring.required:
            raise ConfigError(
                f"contradicts the key of the setting `api_key` or of {keyring.path}; remove one of "
                "them",
                field="without_keys",
            )
        if not _loopback(host):
            logger.warning("anyone who can reach %s may read, write and delete", host)
    elif not keyring.required and not _loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines, and there is no API key; create one with "
            "`twindex keys create ROOT --name NAME`, set TWINDEX_API_KEY, or serve everyone "
            "with --without-keys",
            field="host",
        )


def _check_tls(settings: Settings) -> None:
    """Raise ConfigError for a certificate or private key that cannot be used."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if settings.audit_chain and settings.audit_log is None:
        raise ConfigError("requires `audit_log`; name a file, or remove it", field="audit_chain")
    if certificate is None:
        if key is not None:
            raise ConfigError("requires `tls_certificate`; name its file", field="tls_key")
        return
    for field, path in (("tls_certificate", certificate), ("tls_key", key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"{path} is not a file", field=field)
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            certificate, key, password=lambda: b""
        )
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{certificate} cannot be used ({error}); name a certificate in PEM, and its private "
            "key without a password with --tls-key",
            field="tls_certificate",
        ) from None


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
