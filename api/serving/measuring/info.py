"""The description of a server, as the key of a request may see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from time import time
from typing import Any

from pydantic import SecretStr

from .... import __version__
from ....index import COLLECTION_FORMAT, SNAPSHOT_FORMAT
from ..access.access import Access
from ..access.key_file import FORMAT as KEYS_FORMAT
from ..access.seen import Seen
from ..embedding import distinct_names, served_encoders
from ..settings import Settings

LIMITS = (
    *("max_body_bytes", "max_bulk_bytes", "job_bytes", "job_documents", "page_bytes"),
    *("query_chars", "batch_depth", "search_seconds", "answer_seconds", "embed_seconds"),
    *("queue", "queue_seconds", "rerank_queue", "answer_queue", "embed_queue"),
    *("body_memory", "reply_memory", "max_connections", "head_seconds", "idle_seconds"),
    *("stall_seconds", "min_rate", "shutdown_seconds"),
)
"""Settings that limit requests."""

_USER = re.compile(r"\A([a-z0-9]{1,20}://)[^/?#]*@", re.IGNORECASE)
"""Beginning of a URL with a name and password."""

FEATURES: Mapping[str, tuple[str, ...]] = {
    "datasets": ("ir_datasets",),
    "documents": ("pypdfium2", "docx", "pptx", "openpyxl", "pyarrow"),
    "fast": ("uvloop", "httptools"),
    "gguf": ("gguf",),
    "mcp": ("mcp",),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "s3": ("obstore",),
    "scann": ("scann",),
}
"""Extra of the package -> modules that it installs."""

FORMATS = {
    "collection": COLLECTION_FORMAT,
    "snapshot": SNAPSHOT_FORMAT,
    "keys": KEYS_FORMAT,
}
"""Kind of files on disk -> the version of its format that the server writes."""


@cache
def features() -> dict[str, bool]:
    """Return extra -> True if it is installed. Imports nothing of it."""
    return {extra: all(map(_installed, names)) for extra, names in FEATURES.items()}


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # A package above it is missing.
        return False


def describe(service: Seen, settings: Settings, *, keys: bool, traces: bool) -> dict[str, Any]:
    """Return the description of a server.

    keys:   whether requests must send a key.
    traces: whether the spans of requests are sent to a collector.

    A key that administers all collections also sees the settings, without secrets, and where each
    of them comes from.
    """
    access = service.access
    on = {
        "answers": True,
        "audit": settings.audit_log is not None,
        "jobs": True,
        "keys": keys,
        "reranking": bool(service.rerankers.names),
        "rewriting": bool(service.rewriters.names),
        "snapshots": settings.snapshots is not None,
        "traces": traces,
    }
    found: dict[str, Any] = {
        "name": "twindex",
        "version": __version__,
        "started": datetime.fromtimestamp(service.started, UTC).isoformat(),
        "uptime_seconds": max(0, int(time()) - service.started),
        "workers": settings.workers,
        "formats": FORMATS,
        "features": features(),
        "capabilities": [name for name, given in on.items() if given],
        "models": {
            "encoders": distinct_names(served_encoders(service)),
            "rerankers": list(service.rerankers.names),
            "generators": list(service.generators.names),
            "backgrounds": list(service.generators.backgrounds.names),
            "rewriters": list(service.rewriters.names),
        },
        "limits": {name: getattr(settings, name) for name in LIMITS},
        "collections": len(service.known()),
        "key": _key(access),
    }
    if access.administers and access.sees_all:
        found["settings"] = {
            name: {"value": shown(getattr(settings, name)), "source": settings.source(name)}
            for name in type(settings).model_fields
        }
    return found


def shown(value: Any) -> Any:
    """Return the value of a setting as JSON. A secret is "(set)".

    A name and password before the host of a URL are left out.
    """
    if isinstance(value, SecretStr):
        return "(set)"
    if isinstance(value, str):
        return without_user(value)
    if isinstance(value, tuple):
        return [shown(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def without_user(text: str) -> str:
    """Return a text; if it is a URL, without the name and password before its host."""
    return _USER.sub(r"\1", text)


def _key(access: Access) -> dict[str, Any]:
    """Return what the key of a request may do."""
    limits = access.limits
    return {
        "id": access.key,
        "name": access.name,
        "scopes": sorted(access.scopes),
        "collections": list(access.collections),
        "filtered": access.filter is not None,
        "requests": limits.requests,
        "concurrent": limits.concurrent,
        "model_seconds": limits.model_seconds,
    }
