"""The database of a collection: what is true. SQLite in WAL mode, every commit synced to disk.

Every change of state is one transaction, so a crash leaves either the old state or the new one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

from ..core import ConflictError, NotFoundError, StorageError

FORMAT = 1
"""Version of the layout on disk. A reader refuses another one."""

FILE_NAME = "collection.db"
BUSY_SECONDS = 60.0
VACUUM_PAGES = 4_000

# `documents` is narrow so that ids are read without paging through texts. `fields` is the metadata
# flattened to one row for each value, which is what filters look up. `delta` holds passages since
# the last seal, with their encoded legs; `tombstones` the numbers of dead documents whose passages
# are still in a segment or have just left the delta.
SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
CREATE TABLE contents (
    number INTEGER PRIMARY KEY, title TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT NOT NULL
);
CREATE TABLE fields (
    key TEXT NOT NULL, kind INTEGER NOT NULL, value NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (key, kind, value, number)
) WITHOUT ROWID;
CREATE TABLE delta (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL,
    start INTEGER NOT NULL, stop INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE INDEX delta_number ON delta (number);
CREATE TABLE segments (
    id TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
    passages INTEGER NOT NULL, documents INTEGER NOT NULL, manifest TEXT NOT NULL
);
CREATE TABLE tombstones (seq INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL);
CREATE INDEX tombstones_number ON tombstones (number);
"""


class Database:
    """Connections to one collection.db: any number of readers, one writer at a time.

    The write lock is SQLite's own, so it also holds between processes.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._write_lock = threading.Lock()
        self._closed = threading.Event()
        self._identity: tuple[int, int] | None = None

    @classmethod
    def create(cls, directory: Path, meta: dict[str, str]) -> Database:
        """Make the tables and the first `meta` rows in one transaction.

        Raises ConflictError when there is a collection already.
        """
        database = cls(directory)
        try:
            connection = database._connect(create=True)
            # Only an empty file takes this setting; it lets deleted pages go back to the disk.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            known = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'documents'"
            ).fetchone()
            if known:
                connection.execute("ROLLBACK")
                connection.close()
                raise ConflictError(f"{directory} holds a collection already")
            for statement in SCHEMA.split(";"):
                connection.execute(statement)
            connection.executemany(
                "INSERT INTO meta (key, value) VALUES (?, ?)",
                [("format", str(FORMAT)), ("generation", "0"), *meta.items()],
            )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{database.path}: cannot be created: {error}") from error
        database._idle.put(connection)
        return database

    @classmethod
    def open(cls, directory: Path) -> Database:
        """Raises NotFoundError, or StorageError when the file is not one of ours."""
        database = cls(directory)
        if not database.path.is_file():
            raise NotFoundError(f"{directory} holds no collection (no {FILE_NAME})")
        with database.read() as connection:
            tables = connection.execute(
                "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'documents')"
            ).fetchone()[0]
            if tables == 0:
                raise NotFoundError(
                    f"{directory} holds no collection: its creation was interrupted; "
                    "create it again"
                )
            version = get_meta(connection, "format")
        if version != str(FORMAT):
            database.close()
            raise StorageError(
                f"{database.path}: layout version {version} is not known to this release "
                f"(it reads {FORMAT}); use the release that wrote it, or build it anew"
            )
        return database

    def _connect(self, *, create: bool = False) -> sqlite3.Connection:
        mode = "rwc" if create else "rw"
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS,
        )
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        if self._closed.is_set():
            raise StorageError(f"{self.path}: the collection is closed")
        try:
            connection = self._idle.get_nowait()
        except Empty:
            try:
                connection = self._connect()
            except sqlite3.Error as error:
                raise StorageError(f"{self.path}: cannot be opened: {error}") from error
        try:
            yield connection
        finally:
            if self._closed.is_set():
                connection.close()
            else:
                self._idle.put(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction in which everything read belongs to one state."""
        with self._connection() as connection:
            try:
                self._check_identity()
                connection.execute("BEGIN")
                yield connection
            except sqlite3.Error as error:
                raise StorageError(f"{self.path}: cannot be read: {error}") from error
            finally:
                _rollback(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on disk when the block ends, or undone when it raises."""
        with self._write_lock, self._connection() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute(
                    "UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'generation'"
                )
                self._check_identity()
                connection.execute("COMMIT")
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    raise ConflictError(
                        f"{self.path}: another process has been writing for {BUSY_SECONDS:.0f} s"
                    ) from error
                raise StorageError(f"{self.path}: not written: {error}") from error
            finally:
                _rollback(connection)

    def _check_identity(self) -> None:
        """What is written to a file that was removed meanwhile would be lost."""
        try:
            found = os.stat(self.path)
        except OSError:
            found = None
        identity = (found.st_dev, found.st_ino) if found is not None else None
        if self._identity is None:
            self._identity = identity
        if identity is None or identity != self._identity:
            raise StorageError(f"{self.path} was removed or replaced while it was open")

    def shrink(self) -> None:
        """Give free pages back to the disk and empty the write-ahead log.

        In small steps, between which others can write; what they hold up is left for next time.
        """
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA busy_timeout=1000")
            try:
                while free := connection.execute("PRAGMA freelist_count").fetchone()[0]:
                    with self._write_lock:
                        # `execute` would stop after the first page: it steps once for each.
                        connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
                    if connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
                        break
                connection.execute("PRAGMA busy_timeout=0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError:
                return

    def problems(self) -> list[str]:
        """What SQLite's own check of the whole file finds wrong."""
        try:
            with self.read() as connection:
                rows = connection.execute("PRAGMA integrity_check(20)").fetchall()
        except StorageError as error:
            return [str(error)]
        return [f"{self.path}: {row[0]}" for row in rows if row[0] != "ok"]

    def close(self) -> None:
        self._closed.set()
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


UNFINISHED = "unfinished"
"""Key of meta: names of segments that an interrupted build has begun."""


def get_meta(connection: sqlite3.Connection, key: str) -> str | None:
    """The value stored under `key`, or None."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Store `value` under `key`."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
