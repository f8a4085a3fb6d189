"""The table `meta` of a collection's database: settings and counters, each stored under a key."""

from __future__ import annotations

import sqlite3

from ....core import CorruptFileError
from .checks import damaged, differs, path_of, row_check


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """Return the value stored under `key` in `meta`, or None if there is none.

    Raises CorruptFileError if the checksum of the value does not match.
    """
    row = connection.execute("SELECT value, crc FROM meta WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if differs(row[1], row_check(key, row[0])):
        raise damaged(connection, f"the value of {key!r} in table meta")
    return str(row[0])


def get_number(connection: sqlite3.Connection, key: str) -> int:
    """Return the integer stored under `key` in `meta`, or 0 if there is none.

    Raises CorruptFileError if the checksum of the value does not match or the value is not an
    integer.
    """
    value = get_meta(connection, key)
    try:
        return int(value or 0)
    except ValueError as error:
        raise damaged(
            connection,
            f"the value of {key!r} in table meta",
            f"expected an integer, found {value!r}",
        ) from error


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store `value` under `key` in `meta`. It replaces an earlier value."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value, crc) VALUES (?, ?, ?)",
        (key, value, row_check(key, value)),
    )


def stored_format(connection: sqlite3.Connection) -> int:
    """Return the format number of a database. This release may be unable to read that format.

    Raises CorruptFileError if the number is missing or damaged.
    """
    row = connection.execute("SELECT * FROM main.meta WHERE key = 'format'").fetchone()
    if row is None:
        raise CorruptFileError(path_of(connection), "has no value of 'format' in table meta")
    _, value, *check = row
    # A flipped bit must not turn one format into another. Format 1 had no checksums.
    if check and differs(check[0], row_check("format", value)):
        raise damaged(connection, "the value of 'format' in table meta")
    if not str(value).isdigit() or bool(check) == (int(value) == 1):
        raise damaged(
            connection,
            "the value of 'format' in table meta",
            f"expected a format number, found {value!r}",
        )
    return int(value)
