"""Which file of keys a command reads or changes, and how keys are shown."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...serving.access.key_file import FILE_NAME, Key, KeyFile


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ROOT and --keys."""
    parser.add_argument(
        "root", metavar="ROOT", type=Path, help="folder that contains the collections"
    )
    parser.add_argument(
        "--keys", type=Path, metavar="FILE", help=f"file of the keys (default: ROOT/{FILE_NAME})"
    )


def key_file(arguments: argparse.Namespace) -> KeyFile:
    """Return the file of keys. Raises NotFoundError if ROOT is no folder."""
    from ....core import NotFoundError

    if not arguments.root.is_dir():
        raise NotFoundError(f"{arguments.root} is not a folder; name the folder of the collections")
    return KeyFile(arguments.keys or arguments.root / FILE_NAME)


def described(key: Key, now: float) -> dict[str, Any]:
    """Return a key as JSON values, without its secrets. now: seconds since 1970."""
    return {
        "id": key.id,
        "name": key.name,
        "state": key.state(now),
        "scopes": list(key.scopes),
        "collections": list(key.collections),
        "filter": key.filter,
        "created": date(key.created),
        "expires": date(key.expires),
        "revoked": date(key.revoked),
        "requests": key.limits.requests,
        "concurrent": key.limits.concurrent,
        "model_seconds": key.limits.model_seconds,
        "signed_filter": key.signed,
    }


def date(seconds: float | None) -> str | None:
    """Return a time, in seconds since 1970, as a date in UTC; None for None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
