"""What a server needs for its address: keys, certificates and file descriptors."""

from __future__ import annotations

import ipaddress
import logging
import resource
import ssl
from contextlib import suppress

from ....core import ConfigError
from ...serving.access.keyring import Keyring
from ...serving.settings import Settings
from .connections import RESERVE

logger = logging.getLogger(__name__)


def check_keys(keyring: Keyring, host: str, settings: Settings) -> None:
    """Raise ConfigError for an address beyond loopback without a key, unless it is wanted.

    Also raises ConfigError if the file of the setting `keys` is not there: a misspelt name would
    leave the server open to everyone.
    """
    named = None if settings.api_key is not None or settings.without_keys else settings.keys
    if named is not None and not named.exists():
        raise ConfigError(
            f"{named} does not exist, so every request would be served; create a key with "
            f"`twindex keys create ROOT --name NAME --keys {named}`, or correct the name",
            field="keys",
        )
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


def check_tls(settings: Settings) -> None:
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


def connection_limit(most: int) -> int:
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
