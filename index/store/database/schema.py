"""The tables of a collection's database, in format 2."""

from __future__ import annotations

import re
import sqlite3

FORMAT = 2
"""Version of the layout on disk. It is stored; a database of another one is refused."""

# `documents` is narrow so that ids are read without paging through texts; its `content` is the
# checksum of the document's row in `contents`. `fields` is the metadata flattened to one row for
# each value, which is what filters look up; their sum is in `meta`. `delta` holds passages since
# the last seal, with their encoded legs; `tombstones` the numbers of dead documents whose passages
# are still in a segment or have just left the delta. `crc` is a row's checksum (`checks.py`).
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
    """Part of a transaction: make the tables."""
    for statement in _statements():
        connection.execute(statement)


def _statements() -> list[str]:
    return [part.strip() for part in SCHEMA.split(";") if part.strip()]


def unexpected(connection: sqlite3.Connection) -> list[str]:
    """Names of tables and indexes whose definition in the file is not that of format 2."""
    stored = {
        name: " ".join(sql.split())
        for name, sql in connection.execute(
            "SELECT name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
        )
    }
    wrong = []
    for statement in _statements():
        match = re.match(r"CREATE (?:TABLE|INDEX) (\w+)", statement)
        assert match is not None, "every statement of the schema makes a table or an index"
        if stored.get(match[1]) != " ".join(statement.split()):
            wrong.append(match[1])
    return wrong
