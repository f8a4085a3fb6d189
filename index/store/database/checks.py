"""Checksums of the rows of a collection's database.

Every row that defines the state stores a CRC-32 of its values. The checksum is compared whenever
the row is read. So a flipped bit raises an error that names the row, and is never returned as data.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from zlib import crc32

from ....core import CorruptFileError


def row_check(*values: str | float | bytes) -> int:
    """Return the CRC-32 of a row with these values."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def content_check(title: bytes, text: bytes, metadata: bytes) -> int:
    """Return the checksum of a document's contents, given as UTF-8."""
    return crc32(metadata, crc32(text, crc32(title, row_check(len(title), len(text)))))


def document_check(number: int, name: bytes, content: int) -> int:
    """Return the checksum of a row of `documents`: number, id and checksum of the contents."""
    return crc32(name, row_check(number, content))


def delta_check(number: int, start: int, stop: int, data: bytes) -> int:
    """Return the checksum of a row of `delta`."""
    return crc32(data, row_check(number, start, stop))


def differs(stored: Any, computed: int) -> bool:
    """Return True if the stored checksum of a row is not the computed one."""
    return bool(stored != computed)


def damaged(connection: sqlite3.Connection, what: str, problem: str = "") -> CorruptFileError:
    """Return the error for a damaged row.

    what: name of the row. problem: details; empty for a checksum that does not match.
    """
    problem = problem or "its checksum does not match"
    return CorruptFileError(path_of(connection), f"{what} is damaged: {problem}")


def path_of(connection: sqlite3.Connection) -> Path:
    """Return the path of a connection's database file."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def parse_json(connection: sqlite3.Connection, what: str, text: str | bytes) -> Any:
    """Return the JSON value in `text`. Raises CorruptFileError for the row `what`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(connection, what, f"it is not valid JSON ({error})") from error
