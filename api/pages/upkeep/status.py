"""The page of the server's status."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from ...serving.access.seen import Seen
from ...serving.limits.pool import Pool
from .collections import page_of, size

_POOLS = ("readers", "reranking", "answering", "embedding", "writers", "watchers")
_WORK = {
    "readers": "searches",
    "reranking": "reranking",
    "answering": "answers",
    "embedding": "embeddings",
    "writers": "writes",
    "watchers": "metrics",
}


def shown(service: Seen, info: Mapping[str, Any], health: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page shows of the server.

    Only a key that administers all collections sees the thread pools and the disk.

    info:   description of the server, as `GET /v1/info` returns it.
    health: as `GET /healthz` returns it.
    """
    whole = service.access.administers and service.access.sees_all
    models = info["models"]
    states: dict[str, str] = {}
    for kind in ("rerankers", "generators", "backgrounds", "rewriters"):
        states |= {f"{kind}/{name}": state for name, state in health[kind].items()}
    return {
        "health": health,
        "version": info["version"],
        "started": info["started"][:19].replace("T", " "),
        "uptime": duration(info["uptime_seconds"]),
        "models": [
            {
                "kind": kind,
                "names": [
                    {"name": name, "state": states.get(f"{kind}/{name}", "")} for name in names
                ],
            }
            for kind, names in models.items()
        ],
        "capabilities": info["capabilities"],
        "features": info["features"],
        "collections": [
            {"name": name, "state": state, "link": page_of(name)}
            for name, state in health["collections"].items()
        ],
        "workers": health.get("workers", {}),
        "limits": info["limits"],
        "key": info["key"],
        "pools": [_pool(name, getattr(service, name)) for name in _POOLS] if whole else [],
        "disk": _disk(service) if whole else None,
    }


def duration(seconds: int) -> str:
    """Return a time span in words: "2 d 3 h", "5 min", "12 s"."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts[:2]) or f"{seconds} s"


def _pool(name: str, pool: Pool) -> dict[str, Any]:
    return {
        "name": _WORK[name],
        "threads": pool.threads,
        "running": pool.running,
        "waiting": pool.waiting,
        "queue": pool.queue,
        "refused": pool.refused,
    }


def _disk(service: Seen) -> dict[str, Any] | None:
    try:
        usage = shutil.disk_usage(service.root)
    except OSError:
        return None
    return {"free": size(usage.free), "total": size(usage.total), "share": usage.used / usage.total}
