"""The process of a worker. Standard input holds what it needs, on one line of JSON."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

from ...core import StorageError, TwindexError
from ..serving.operations.workers import Place
from ..serving.settings import Settings

FAILURE, MISUSE = 1, 2
"""Exit statuses of a worker that cannot start, as those of the command `twindex`."""


def main() -> None:
    """Run a worker, and end the process."""
    given = json.loads(_line())
    try:
        _work(given)
    except (TwindexError, OSError, sqlite3.Error) as error:
        if os.environ.get("TWINDEX_DEBUG") == "1":
            raise
        print(f"twindex: error: {error}", file=sys.stderr)
        misuse = isinstance(error, TwindexError) and not isinstance(error, StorageError)
        sys.exit(MISUSE if misuse else FAILURE)


def spec(
    root: Path, host: str, settings: Settings, number: int, folder: Path, started: int
) -> dict[str, Any]:
    """Return what a worker needs, except the descriptors of its sockets."""
    values = settings.model_dump(mode="json")
    if settings.api_key is not None:
        values["api_key"] = settings.api_key.get_secret_value()
    return {
        "root": str(root),
        "host": host,
        "settings": values,
        "sources": settings.sources,
        "number": number,
        "folder": str(folder),
        "started": started,
    }


def _line() -> bytes:
    """Return the first line of standard input, and read nothing after it."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(0, 1)
        if not piece:
            sys.exit(FAILURE)  # The process that started this one has ended.
        line += piece
    return bytes(line)


def _work(given: dict[str, Any]) -> None:
    from .worker import work

    settings = Settings.model_validate_json(json.dumps(given["settings"]))
    settings.sources.update(given["sources"])
    place = Place.join(given["number"], settings.workers, Path(given["folder"]), given["started"])
    work(
        Path(given["root"]),
        host=given["host"],
        settings=settings,
        place=place,
        listener=socket.socket(fileno=given["listener"]),
        inner=socket.socket(fileno=given["inner"]),
    )
