"""The tables of a collection's database, in format 2."""

from __future__ import annotations

import re
import sqlite3

FORMAT = 2
"""Version of the format on disk. A database with another version is refused."""

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


def create_tables(connection: sqlite3.Connection) -> None:
    """Create all tables of a collection's database, in a transaction of the caller."""
    for statement in _statements():
        connection.execute(statement)


def _statements() -> list[str]:
    return [part.strip() for part in SCHEMA.split(";") if part.strip()]


def unexpected(connection: sqlite3.Connection) -> list[str]:
    """Return the names of tables and indexes whose stored definition differs from format 2."""
    stored = {
        name: " ".join(sql.split())
        for name, sql in connection.execute(
            "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
        )
    }
    wrong = []
    for statement in _statements():
        match = re.match(r"CREATE (?:TABLE|INDEX) (\w+)", statement)
        assert match is not None, "every statement of the schema creates a table or an index"
        if stored.get(match[1]) != " ".join(statement.split()):
            wrong.append(match[1])
    return wrong
