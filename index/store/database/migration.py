"""From format 1, which has no checksums, to format 2."""

from __future__ import annotations

import sqlite3

from ....core import CorruptFileError, StorageError
from .checks import content_check, delta_check, document_check, path_of, row_check
from .meta import set_meta
from .schema import CHECKED, FORMAT, create_tables
from .tables import fields_total

_TABLES = ("meta", "documents", "delta", "segments", "tombstones")
_COUNTED = ("documents", "delta", "tombstones")
"""Tables whose numbers are never used twice."""


def migrate(connection: sqlite3.Connection) -> None:
    """Part of a transaction: give every row its checksum.

    Releases that know format 1 only cannot write afterwards: the rows they insert lack a checksum.
    Does nothing when another process was quicker. Raises CorruptFileError when SQLite finds the
    file damaged, which a checksum would hide.
    """
    if len(connection.execute("SELECT * FROM meta LIMIT 1").fetchone()) > 2:
        return
    path = path_of(connection)
    for (found,) in connection.execute("PRAGMA integrity_check(1)").fetchall():
        if found != "ok":
            raise CorruptFileError(path, f"is damaged, and stays as it is: {found}")
    counters = dict(connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    for index in ("delta_number", "tombstones_number"):
        connection.execute(f"DROP INDEX {index}")
    for table in _TABLES:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    create_tables(connection, CHECKED)
    try:
        _copy(connection)
    except (sqlite3.Error, UnicodeError) as error:
        raise StorageError(f"{path}: cannot be brought to format {FORMAT}: {error}") from error
    for table in _TABLES:
        connection.execute(f"DROP TABLE old_{table}")
    for table in _COUNTED:
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        if table in counters:
            connection.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, counters[table])
            )
    count, total = fields_total(connection.execute("SELECT key, kind, value, number FROM fields"))
    set_meta(connection, "fields", f"{count} {total}")
    set_meta(connection, "format", str(FORMAT))


def _copy(connection: sqlite3.Connection) -> None:
    for key, value in connection.execute(
        "SELECT key, CAST(value AS TEXT) FROM old_meta"
    ).fetchall():
        set_meta(connection, key, value)
    for number, name, title, text, metadata in connection.execute(
        "SELECT number, CAST(id AS BLOB), CAST(title AS BLOB), CAST(text AS BLOB), "
        "CAST(metadata AS BLOB) FROM old_documents JOIN contents USING (number) ORDER BY number"
    ):
        content = content_check(title, text, metadata)
        connection.execute(
            "INSERT INTO documents (number, id, content, crc) VALUES (?, ?, ?, ?)",
            (number, name.decode(), content, document_check(number, name, content)),
        )
    for seq, *passage in connection.execute(
        "SELECT seq, number, start, stop, data FROM old_delta ORDER BY seq"
    ):
        connection.execute(
            "INSERT INTO delta (seq, number, start, stop, data, crc) VALUES (?, ?, ?, ?, ?, ?)",
            (seq, *passage, delta_check(*passage)),
        )
    for row in connection.execute(
        "SELECT id, first, last, passages, documents, manifest FROM old_segments"
    ):
        connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, row_check(*row))
        )
    for seq, number in connection.execute("SELECT seq, number FROM old_tombstones"):
        connection.execute(
            "INSERT INTO tombstones VALUES (?, ?, ?)", (seq, number, row_check(number))
        )
