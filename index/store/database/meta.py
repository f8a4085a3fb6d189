"""Single values that belong to a collection's state, by key."""

from __future__ import annotations

import sqlite3

from ....core import CorruptFileError
from .checks import damaged, differs, path_of, row_check


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """The value stored under `key`, or None. Raises CorruptFileError."""
    row = connection.execute("SELECT value, crc FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if differs(row[1], row_check(key, row[0])):
        raise damaged(connection, f"the value of {key!r}")
    return str(row[0])


def get_number(connection: sqlite3.Connection, key: str) -> int:
    """The whole number stored under `key`; 0 when there is none. Raises CorruptFileError."""
    value = get_meta(connection, key)
    try:
        return int(value or 0)
    except ValueError as error:
        raise damaged(connection, f"the value of {key!r}", f"{value!r} is no number") from error


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store `value` under `key`."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value, crc) VALUES (?, ?, ?)",
        (key, value, row_check(key, value)),
    )


def stored_format(connection: sqlite3.Connection) -> int:
    """The format of a database, whichever it is. Raises CorruptFileError."""
    row = connection.execute("SELECT * FROM main.meta WHERE key = 'format'").fetchone()
    if row is None:
        raise CorruptFileError(path_of(connection), "is damaged: it does not say its format")
    _, value, *check = row
    # A single flipped bit must not make one format of another. Format 1 had no checksums.
    if check and differs(check[0], row_check("format", value)):
        raise damaged(connection, "the value of 'format'")
    if not str(value).isdigit() or bool(check) == (int(value) == 1):
        raise damaged(connection, "the value of 'format'", f"it is {value!r}")
    return int(value)
