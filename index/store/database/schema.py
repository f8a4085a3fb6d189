"""The tables of a collection's database, in format 2."""

from __future__ import annotations

import re
import sqlite3

COLLECTION_FORMAT = 2
"""Version of the format on disk. Opening a database with another version raises an error."""

# documents   narrow, so that ids are read without reading texts; `content` is the checksum of the
#             document's row in `contents`
# delta       passages written since the last seal, with their encoded legs
# tombstones  numbers of deleted documents whose passages are in a segment or were in the delta
# fields      metadata flattened to one row per value, for filters; the sum of all checksums is
#             stored in `meta`
# crc         checksum of a row (`checks.py`)
SCHEMA = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    content INTEGER NOT NULL, crc INTEGER NOT NULL
);
CREATE TABLE delta (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL
);
CREATE INDEX delta_number ON delta (number);
CREATE TABLE segments (
    id TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    passages INTEGER NOT NULL, documents INTEGER NOT NULL, manifest TEXT NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE tombstones (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, crc INTEGER NOT NULL
);
CREATE INDEX tombstones_number ON tombstones (number);
CREATE TABLE contents (
    number INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE TABLE fields (
    key TEXT NOT NULL, kind INTEGER NOT NULL, value NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (key, kind, value, number)
) WITHOUT ROWID;
"""

# synced_files      files of synced sources, with what is known of their content (JSON)
# synced_documents  id -> the file that the document comes from, and the number of the version that
#                   the sync stored; `live` is 0 if the file no longer contains the document, which
#                   must then be deleted
SYNC_SCHEMA = """
CREATE TABLE synced_files (
    number INTEGER PRIMARY KEY, source BLOB NOT NULL, name BLOB NOT NULL, state TEXT NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE synced_documents (
    id TEXT PRIMARY KEY, file INTEGER NOT NULL, number INTEGER NOT NULL, live INTEGER NOT NULL,
    crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX synced_documents_file ON synced_documents (file);
"""
"""Tables that the first sync creates. Other collections of format 2 do not have them."""

# versions  superseded versions within the retention; `ended` is the commit that replaced or deleted
#           the version, and `content` and `crc` are those of its row in `documents`
# commits   every commit since the history began; `last` is the highest document number by then
HISTORY_SCHEMA = """
CREATE TABLE versions (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, ended INTEGER NOT NULL, source TEXT NOT NULL,
    title TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL, content INTEGER NOT NULL,
    crc INTEGER NOT NULL
);
CREATE INDEX versions_id ON versions (id);
CREATE INDEX versions_ended ON versions (ended);
CREATE TABLE commits (
    number INTEGER PRIMARY KEY, time INTEGER NOT NULL, last INTEGER NOT NULL,
    actor TEXT NOT NULL, request TEXT NOT NULL, crc INTEGER NOT NULL
);
"""
"""Tables that the first history creates. Other collections of format 2 do not have them."""


def create_tables(connection: sqlite3.Connection, schema: str = SCHEMA) -> None:
    """Create all tables and indexes of a schema, in a transaction of the caller.

    schema: CREATE statements, separated by semicolons.
    """
    for statement in _statements(schema):
        connection.execute(statement)


def _statements(schema: str) -> list[str]:
    return [part.strip() for part in schema.split(";") if part.strip()]


def unexpected(connection: sqlite3.Connection) -> list[str]:
    """Return the names of tables and indexes whose stored definition differs from `SCHEMA`.

    The tables of `SYNC_SCHEMA` are checked only if at least one of them exists, and so are those of
    `HISTORY_SCHEMA`.
    """
    stored = {
        name: " ".join(sql.split())
        for name, sql in connection.execute(
            "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
        )
    }
    statements = _statements(SCHEMA)
    for optional in (_statements(SYNC_SCHEMA), _statements(HISTORY_SCHEMA)):
        if any(_name(statement) in stored for statement in optional):
            statements += optional
    return [
        _name(statement)
        for statement in statements
        if stored.get(_name(statement)) != " ".join(statement.split())
    ]


def _name(statement: str) -> str:
    match = re.match(r"CREATE (?:TABLE|INDEX) (\w+)", statement)
    assert match is not None, "every statement of the schema creates a table or an index"
    return match[1]
