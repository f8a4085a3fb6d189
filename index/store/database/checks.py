"""Checksums of the rows of a collection's database.

Every row that counts stores a CRC-32 of its values, which is compared whenever the row is read. A
flipped bit is then an error that names the row, and is never served.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from zlib import crc32

from ....core import CorruptFileError


def row_check(*values: str | float | bytes) -> int:
    """Of a short row."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def content_check(title: bytes, text: bytes, metadata: bytes) -> int:
    """Of what a document says; the values as UTF-8."""
    return crc32(metadata, crc32(text, crc32(title, row_check(len(title), len(text)))))


def document_check(number: int, name: bytes, content: int) -> int:
    """Of the row that ties a number, an id and the checksum of the contents together."""
    return crc32(name, row_check(number, content))


def delta_check(number: int, start: int, stop: int, data: bytes) -> int:
    """Of a passage that is not yet in a segment."""
    return crc32(data, row_check(number, start, stop))


def differs(stored: Any, computed: int) -> bool:
    """Whether a row is not what was written."""
    return bool(stored != computed)


def damaged(connection: sqlite3.Connection, what: str, problem: str = "") -> CorruptFileError:
    """The error that says which row of the database is damaged."""
    problem = problem or "its checksum does not match: it was altered"
    return CorruptFileError(path_of(connection), f"{what} is damaged: {problem}")


def path_of(connection: sqlite3.Connection) -> Path:
    """The file of a database."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def parse_json(connection: sqlite3.Connection, what: str, text: str | bytes) -> Any:
    """The JSON value in a row. Raises CorruptFileError that names the row."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(connection, what, f"it is not JSON ({error})") from error
