"""The page of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ....index.store.jobs import Job
from .collections import page_of

_CLASSES = {"done": "ok", "failed": "failed"}


def rows(found: Sequence[tuple[str, Job]]) -> list[dict[str, Any]]:
    """Return what the page shows of each job. found: (collection, job)."""
    return [_row(*pair) for pair in found]


def _row(collection: str, job: Job) -> dict[str, Any]:
    target = collection or str(job.result.get("collection", ""))
    results = [
        (name, value)
        for name, value in job.result.items()
        if isinstance(value, bool | int | float | str) and name != "collection"
    ]
    return {
        "id": job.id,
        "kind": job.kind,
        "collection": target,
        "link": page_of(target) if target else "",
        "state": job.state,
        "class": _CLASSES.get(job.state, ""),
        "finished": job.finished,
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "error": job.error,
        "results": [(name, _words(value)) for name, value in results][:8],
        "errors": len(job.result.get("errors") or []),
        "created": time_of(job.created),
        "seconds": max(0.0, job.updated - job.created),
    }


def _words(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value[:80] if isinstance(value, str) else f"{value:,}"


def time_of(seconds: float) -> str:
    """Return a time, in seconds since 1970, in UTC to the second."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S")
