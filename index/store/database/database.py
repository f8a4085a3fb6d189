"""The database of a collection: what is true. SQLite in WAL mode, every commit synced to disk.

Every change of state is one transaction, so a crash leaves either the old state or the new one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic, sleep

from ....core import ConflictError, CorruptFileError, NotFoundError, StorageError
from .access import BUSY_SECONDS, Access, check_header, is_hot, to_read, to_write
from .mark import Mark
from .meta import get_meta, get_number, set_meta, stored_format
from .schema import FORMAT, create_tables

FILE_NAME = "collection.db"
VACUUM_PAGES = 4_000
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

__all__ = ["BUSY_SECONDS", "FILE_NAME", "FORMAT", "Database", "get_meta", "get_number", "set_meta"]


class Database:
    """Connections to one collection.db: any number of readers, one writer at a time.

    The write lock is SQLite's own, so it also holds between processes.
    """

    def __init__(self, directory: Path, *, read_only: bool = False) -> None:
        self.path = directory / FILE_NAME
        self.mark = Mark(directory)
        self.read_only = read_only
        self._access: Access | None = None
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._write_lock = threading.Lock()
        self._closed = threading.Event()
        self._identity: tuple[int, ...] | None = None

    @classmethod
    def create(cls, directory: Path, meta: dict[str, str]) -> Database:
        """Make the tables and the first `meta` rows in one transaction.

        Raises ConflictError when there is a collection already.
        """
        database = cls(directory)
        database._access = Access(database.path, "rwc")
        try:
            connection = database._connect()
            # Only an empty file takes this setting; it lets deleted pages go back to the disk.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            _use_log(connection)
            connection.execute("BEGIN IMMEDIATE")
            known = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'documents'"
            ).fetchone()
            if known:
                connection.execute("ROLLBACK")
                connection.close()
                raise ConflictError(f"{directory} holds a collection already")
            create_tables(connection)
            first = {"format": str(FORMAT), "generation": "0", "fields": "0 0", **meta}
            for key, value in first.items():
                set_meta(connection, key, value)
            database.mark.reset(0)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{database.path}: cannot be created: {error}") from error
        database._access = to_write(database.path)
        database._idle.put(connection)
        return database

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False, complete: bool = True) -> Database:
        """Open a database.

        complete: refuse a database that lacks acknowledged writes, and leave its files as they are.
        Raises NotFoundError, or StorageError when the file is not one of ours.
        """
        database = cls(directory, read_only=True)
        try:
            found = database.path.is_file()
        except OSError as error:
            raise StorageError(f"{database.path}: cannot be read: {error.strerror}") from error
        if not found and not directory.exists():
            raise NotFoundError(f"{directory}: no such folder")
        if not found:
            raise NotFoundError(f"{directory} holds no collection (no {FILE_NAME})")
        database._begin(complete=complete)
        if not read_only:
            # Only now: closing a connection that can write removes the write-ahead log, which is
            # all that is left of lost writes.
            database.close()
            database = database._to_write()
        return database

    def _begin(self, *, complete: bool) -> None:
        """Look at the file without a change to it."""
        mark = self.mark.known()  # Before the database, which may move on meanwhile.
        unfinished = NotFoundError(
            f"{self.path.parent} holds no collection: its creation was interrupted; create it again"
        )
        if is_hot(self.path.with_name(f"{FILE_NAME}-journal")):
            # SQLite has one only before the database gets its write-ahead log.
            raise unfinished
        check_header(self.path, new=True)
        access = self._access = to_read(self.path)
        if access == to_write(self.path):
            self._access = Access(self.path, "ro")
        try:
            with self.read() as connection:
                tables = connection.execute(
                    "SELECT count(*) FROM sqlite_master WHERE name IN ('meta', 'documents')"
                ).fetchone()[0]
                if tables == 0 and mark:
                    lost = self._lost("it is empty", mark)
                    remedy = "Restore the folder from a backup, or remove it and build it anew"
                    raise CorruptFileError(self.path, f"{lost} {remedy}")
                if tables == 0:
                    raise unfinished
                check_header(self.path, new=False)
                found = stored_format(connection)
                if found != FORMAT:
                    raise StorageError(
                        f"{self.path}: has format {found}, and this release reads {FORMAT}; use a "
                        f"release that reads format {found}, or build the collection anew"
                    )
            missing = self._missing(mark)
            if missing and complete:
                raise StorageError(missing)
        except BaseException:
            self.close()
            raise
        if not missing:
            self._drain()
            self._access = access

    def _to_write(self) -> Database:
        if not (os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK)):
            raise StorageError(
                f"{self.path}: cannot be written here; make its folder writable, or only read it "
                "(in Python: read_only=True)"
            )
        database = Database(self.path.parent)
        database._access = to_write(self.path)
        try:
            with database.read() as connection:
                database.mark.raise_to(get_number(connection, "generation"))
        except BaseException:
            database.close()
            raise
        return database

    def _missing(self, mark: int) -> str | None:
        """What to say when acknowledged writes are missing. `mark` was read before."""
        with self.read() as connection:
            generation = get_number(connection, "generation")
        if generation >= mark:
            return None
        lost = self._lost(f"the database is at generation {generation}", mark)
        return (
            f"{self.path}: {lost} Restore the folder from a backup, or continue with what is there "
            "by `twindex verify --accept`"
        )

    def _lost(self, state: str, mark: int) -> str:
        return (
            f"acknowledged writes are missing: {state}, and {self.mark.path.name} says that "
            f"generation {mark} was reached; {FILE_NAME}-wal is damaged or was removed, or an "
            f"older {FILE_NAME} was put in place. Nothing was changed."
        )

    def accept(self) -> None:
        """Take what is there for complete: later opens do not miss what was lost."""
        with self.read() as connection:
            generation = get_number(connection, "generation")
        self.mark.reset(generation)

    def _connect(self) -> sqlite3.Connection:
        if self._access is None:
            self._access = to_read(self.path) if self.read_only else to_write(self.path)
        connection = self._access.connect()
        if self.read_only:
            connection.execute("PRAGMA query_only=ON")
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
                raise self._failure(error, "cannot be read") from error
            finally:
                _rollback(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is on disk when the block ends, or undone when it raises."""
        with self._write_lock, self._connection() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                generation = get_number(connection, "generation") + 1
                set_meta(connection, "generation", str(generation))
                self._check_identity()
                connection.execute("COMMIT")
                self.mark.raise_to(generation)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    raise ConflictError(
                        f"{self.path}: another process has been writing for {BUSY_SECONDS:.0f} s"
                    ) from error
                raise self._failure(error, "not written") from error
            finally:
                _rollback(connection)

    def _failure(self, error: sqlite3.Error, what: str) -> StorageError:
        """The error to raise for one of SQLite's, which names damage as such."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT or "decode" in str(error) or "malformed" in str(error):
            return CorruptFileError(self.path, f"is damaged: {error}")
        return StorageError(f"{self.path}: {what}: {error}")

    def _check_identity(self) -> None:
        """What is written to a file that was removed meanwhile would be lost."""
        try:
            found = os.stat(self.path)
        except OSError:
            found = None
        identity: tuple[int, ...] | None = None
        if found is not None:
            identity = (found.st_dev, found.st_ino)
            if self._access is not None and (self._access.immutable or self._access.copy):
                # SQLite takes no locks: whoever writes now makes what was read wrong.
                identity += (found.st_size, found.st_mtime_ns)
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

    def problems(self, *, deep: bool = True) -> list[str]:
        """What is wrong with the file: its structure, every checksum, and writes that are missing.

        deep: read everything. Else only what reading a row does not notice is checked: lookups by
        id and by filter, and small tables.
        """
        from .soundness import problems

        found = self._mark_problems() if deep else []
        try:
            with self.read() as connection:
                found += [f"{self.path}: {problem}" for problem in problems(connection, deep=deep)]
        except StorageError as error:
            found.append(str(error))
        return found

    def _mark_problems(self) -> list[str]:
        try:
            missing = self._missing(self.mark.read() or 0)
        except StorageError as error:
            return [str(error)]
        return [] if missing is None else [missing]

    def close(self) -> None:
        self._closed.set()
        self._drain()
        if self._access is not None and self._access.copy is not None:
            self._access.copy.cleanup()

    def _drain(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # SQLite itself may have rolled back, or be unable to: the first error says why.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


UNFINISHED = "unfinished"
"""Key of meta: names of segments that an interrupted build has begun."""


def _use_log(connection: sqlite3.Connection) -> None:
    """Switch a new database to its write-ahead log. SQLite does not wait for others here: while
    another process creates the same collection, it is busy at once."""
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(0.01)
