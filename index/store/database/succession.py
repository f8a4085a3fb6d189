"""What a collection hands over to its successor, which has the same documents and other encoders.

The successor is built beside the collection. It records which database it follows, and the highest
document number that it has copied. Numbers grow and are never reused, so documents with higher
numbers are those that were written or replaced since.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ....core import ConflictError, Document, StorageError
from .access import to_write
from .database import Database
from .folders import FILE_NAME
from .meta import get_meta, get_number, set_meta
from .synced import (
    SyncedDocument,
    create_sync_tables,
    has_sync_tables,
    put_complete,
    put_documents,
    put_file,
    read_complete,
    read_files,
    read_with_current,
)
from .tables import numbers_of, read_documents

FOLLOWS = "follows"
"""Key in `meta` of a successor: its predecessor, and the number up to which it was copied.

The number is null once the successor takes the place of its predecessor. It then has documents of
its own, so it never serves as an unfinished successor again, also after a roll-back.
"""
_CHUNK = 500


def identity_of(directory: Path) -> str | None:
    """Return device and inode of the database in a folder; None if there is none."""
    try:
        found = os.stat(directory / FILE_NAME)
    except OSError:
        return None
    return f"{found.st_dev}:{found.st_ino}"


def record_copied(connection: sqlite3.Connection, follows: str, number: int | None) -> None:
    """Store, in the transaction of the copied documents, that all up to `number` are copied.

    number: None: all are, and the successor takes the place of its predecessor.
    """
    set_meta(connection, FOLLOWS, json.dumps({"identity": follows, "number": number}))


def read_copied(connection: sqlite3.Connection) -> tuple[str, int | None] | None:
    """Return the identity of the predecessor and the last copied number; None: it follows none.

    The number is None if the successor took the place of its predecessor.
    """
    value = get_meta(connection, FOLLOWS)
    if value is None:
        return None
    found = json.loads(value)
    return found["identity"], found["number"]


def forget_predecessor(database: Database) -> None:
    """Remove the record of a predecessor: another database may get its identity."""
    with database.read() as connection:
        known = get_meta(connection, FOLLOWS) is not None
    if known:
        with database.write() as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (FOLLOWS,))


def newer_documents(
    connection: sqlite3.Connection, number: int, limit: int
) -> list[tuple[int, Document]]:
    """Return the documents with the lowest numbers above `number`, with their numbers."""
    sql = "SELECT number FROM documents WHERE number > ? ORDER BY number LIMIT ?"
    numbers = [row[0] for row in connection.execute(sql, (number, limit))]
    return list(read_documents(connection, numbers).items())


def vanished_ids(successor: Path, predecessor: Path) -> list[str]:
    """Return the ids of the successor's documents that the predecessor no longer has."""
    with closing(to_write(successor / FILE_NAME).connect()) as connection:
        connection.execute("ATTACH DATABASE ? AS old", (str(predecessor / FILE_NAME),))
        rows = connection.execute(
            "SELECT id FROM main.documents EXCEPT SELECT id FROM old.documents"
        )
        return [row[0] for row in rows]


def updated_documents(successor: Path, predecessor: Path) -> list[Document]:
    """Return the documents of the predecessor whose metadata differs in the successor.

    Documents that were written again have higher numbers, and `newer_documents` returns them.
    """
    with closing(to_write(successor / FILE_NAME).connect()) as connection:
        connection.execute("ATTACH DATABASE ? AS old", (str(predecessor / FILE_NAME),))
        rows = connection.execute(
            "SELECT new.number, old.number FROM main.documents AS new "
            "JOIN old.documents AS old USING (id) WHERE new.content <> old.content"
        ).fetchall()
        stored = read_documents(connection, [new for new, _ in rows])
    with closing(to_write(predecessor / FILE_NAME).connect()) as connection:
        current = read_documents(connection, [old for _, old in rows])
    pairs = ((stored[new], current[old]) for new, old in rows)
    return [one for copy, one in pairs if (copy.title, copy.text) == (one.title, one.text)]


@contextmanager
def frozen(directory: Path) -> Iterator[sqlite3.Connection]:
    """Hold the write lock of a collection in the block, so that no process can commit a change.

    The connection reads the state that cannot change. Raises ConflictError if another process holds
    the lock for long.
    """
    with closing(to_write(directory / FILE_NAME).connect()) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise ConflictError(
                f"{directory}: another process is writing all the time ({error}); try again"
            ) from error
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")


def hand_over(
    old: sqlite3.Connection, predecessor: Path, successor: Path, *, synced: bool = True
) -> None:
    """Copy the jobs, stored replies and the record of synced files to the successor.

    old: a connection to the predecessor, which is frozen.
    synced: False: the successor keeps its own record of synced files.
    """
    try:
        with closing(to_write(successor / FILE_NAME).connect()) as new:
            new.execute("BEGIN IMMEDIATE")
            _copy_jobs(old, new)
            if synced and has_sync_tables(old):
                _copy_synced(old, new)
            # A process may still record a generation of the predecessor in the mark file, by path.
            highest = max(get_number(old, "generation"), get_number(new, "generation"))
            set_meta(new, "generation", str(highest + 1))
            new.execute("COMMIT")
        (successor / "jobs").mkdir(exist_ok=True)
        for path in (predecessor / "jobs").glob("*.ndjson"):
            with suppress(FileNotFoundError):
                target = successor / "jobs" / path.name
                target.unlink(missing_ok=True)
                try:
                    os.link(path, target)
                except OSError:
                    shutil.copyfile(path, target)
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"{successor}: cannot be written ({error})") from error


def _copy_jobs(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    for table in ("jobs", "replies", "job_owners"):
        sql = old.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        if sql is None:
            continue
        new.execute(f"DROP TABLE IF EXISTS {table}")
        new.execute(sql[0])
        rows = old.execute(f"SELECT * FROM {table}")
        marks = ", ".join("?" for _ in rows.description)
        new.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _copy_synced(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copy the record of synced files, with the numbers that the documents have in `new`."""
    create_sync_tables(new)
    new.execute("DELETE FROM synced_files")
    new.execute("DELETE FROM synced_documents")
    for file in read_files(old):
        put_file(new, file)
    put_complete(new, read_complete(old))
    chunk: list[tuple[SyncedDocument, int | None]] = []
    for found in read_with_current(old):
        chunk.append(found)
        if len(chunk) == _CHUNK:
            _put_synced(new, chunk)
            chunk = []
    _put_synced(new, chunk)


def _put_synced(
    new: sqlite3.Connection, documents: list[tuple[SyncedDocument, int | None]]
) -> None:
    numbers = numbers_of(new, [one.id for one, _ in documents])
    put_documents(
        new,
        [
            # No document has the number 0: another write had replaced this one since the sync.
            SyncedDocument(
                one.id, one.file, numbers.get(one.id, 0) if one.number == current else 0, one.live
            )
            for one, current in documents
        ],
    )
