"""Checksums of the rows of a collection's database.

Every row of documents, passages, segments or settings stores a CRC-32 of its values. Each read of a
row compares this checksum. So a flipped bit raises an error that names the row, and a damaged value
is never returned.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from zlib import crc32

from ....core import CorruptFileError
from ....core.errors import RESTORE


def row_check(*values: str | float | bytes) -> int:
    """Return the CRC-32 of a row with these values."""
    return crc32(repr(values).encode("utf-8", "surrogatepass"))


def content_check(title: bytes, text: bytes, metadata: bytes) -> int:
    """Return the checksum of a document's title, text and metadata (JSON), each as UTF-8."""
    return crc32(metadata, crc32(text, crc32(title, row_check(len(title), len(text)))))


def document_check(number: int, name: bytes, content: int) -> int:
    """Return the checksum of a row of the table `documents`.

    number, name: number and id of the document.
    content:      its `content_check`.
    """
    return crc32(name, row_check(number, content))


def delta_check(number: int, start: int, stop: int, data: bytes) -> int:
    """Return the checksum of a row (one passage) of the table `delta`.

    number:      number of the passage's document.
    start, stop: character range of the passage in the document.
    data:        encoded vectors or terms of the passage in all legs.
    """
    return crc32(data, row_check(number, start, stop))


def differs(stored: Any, computed: int) -> bool:
    """Return True if the stored checksum of a row differs from the computed checksum."""
    return bool(stored != computed)


def damaged(
    connection: sqlite3.Connection, what: str, problem: str = "", *, remedy: str = RESTORE
) -> CorruptFileError:
    """Return the error for a damaged row of the database of `connection`.

    what: the row, as the subject of the message.
    problem: what is wrong with the row; empty if its checksum does not match.
    remedy: what the user can do.
    """
    problem = problem or "its checksum does not match"
    return CorruptFileError(path_of(connection), f"{what} is damaged ({problem})", remedy=remedy)


def path_of(connection: sqlite3.Connection) -> Path:
    """Return the path of a connection's database file."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2])


def parse_json(connection: sqlite3.Connection, what: str, text: str | bytes) -> Any:
    """Return the JSON value in `text`, which was read from the database of `connection`.

    what: the row that contains `text`, as the subject of the error message.

    Raises CorruptFileError if `text` is not valid JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise damaged(connection, what, f"it is not valid JSON ({error})") from error
