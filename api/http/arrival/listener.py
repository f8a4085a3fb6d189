"""The socket that a server listens on."""

from __future__ import annotations

import socket

from ....core import ConfigError, ConflictError
from ...serving.settings import Settings

STARTED = "serving %s at %s (search page: /, answer page: /ask, API reference: /docs)"
"""Message of a start: the folder and the address."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens. port: 0: any free port.

    Raises ConfigError for an invalid port or an address that this machine does not have, and
    ConflictError if the port is in use.
    """
    if not 0 <= port <= 65_535:
        raise ConfigError(f"must be between 0 and 65535, got {port}", field="port")
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


def address_of(host: str, listener: socket.socket, settings: Settings) -> str:
    """Return the URL of a server that listens."""
    shown = f"[{host}]" if ":" in host else host
    scheme = "http" if settings.tls_certificate is None else "https"
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"
