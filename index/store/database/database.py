"""The database of a collection: SQLite with a write-ahead log (WAL), synced at every commit.

Every change of a collection is one transaction. So a crash leaves the collection either as it was
before the change or as it is after the change.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from ....core import ConflictError, CorruptFileError, NotFoundError, StorageError
from .access import (
    BUSY_SECONDS,
    Access,
    check_header,
    enable_wal,
    is_hot_journal,
    to_read,
    to_write,
)
from .folders import FILE_NAME, no_collection
from .history import record_commit, switch
from .mark import Mark
from .meta import get_meta, get_number, set_meta, stored_format
from .schema import COLLECTION_FORMAT as FORMAT
from .schema import create_tables

VACUUM_PAGES = 4_000
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

__all__ = ["BUSY_SECONDS", "FILE_NAME", "FORMAT", "Database", "get_meta", "get_number", "set_meta"]


class Database:
    """Connections to one collection.db, for any number of readers and one writer at a time.

    A lock of SQLite ensures that only one process writes.
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
    def create(
        cls, directory: Path, meta: dict[str, str], *, history_days: int | None = None
    ) -> Database:
        """Create a database in the folder `directory`.

        meta: key -> value, the first rows of the table `meta`. One transaction creates all tables
            and these rows.
        history_days: see `history.switch`.

        Raises ConflictError if the folder already contains a collection.
        """
        database = cls(directory)
        database._access = Access(database.path, "rwc")
        try:
            connection = database._connect()
            # Lets SQLite release free pages to the disk. Only an empty file accepts this setting.
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            enable_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            known = connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'documents'"
            ).fetchone()
            if known:
                connection.execute("ROLLBACK")
                connection.close()
                raise ConflictError(f"{directory} already contains a collection; open it instead")
            create_tables(connection)
            if history_days is not None:
                switch(connection, history_days)
            first = {"format": str(FORMAT), "generation": "0", "fields": "0 0", **meta}
            for key, value in first.items():
                set_meta(connection, key, value)
            record_commit(connection, 0)
            database.mark.reset(0)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise StorageError(f"{database.path}: cannot be created ({error})") from error
        database._access = to_write(database.path)
        database._idle.put(connection)
        return database

    @classmethod
    def open(cls, directory: Path, *, read_only: bool = False, complete: bool = True) -> Database:
        """Open the database of the collection in `directory`.

        complete: False: open the database even if acknowledged writes are missing.

        Raises NotFoundError if there is no collection, and StorageError if the file cannot be read
        or has another format. If `complete` is true, also raises StorageError if acknowledged
        writes are missing. No file is changed before this check.
        """
        database = cls(directory, read_only=True)
        try:
            found = database.path.is_file()
        except OSError as error:
            raise StorageError(f"{database.path}: cannot be read ({error.strerror})") from error
        if not found:
            raise no_collection(directory)
        database._check(complete=complete)
        if not read_only:
            # After all checks: closing a connection with write access removes the write-ahead log,
            # which may be the only trace of lost writes.
            database.close()
            database = database._to_write()
        return database

    def _check(self, *, complete: bool) -> None:
        """Raise the errors of `open` for invalid or damaged files. Changes no file.

        complete: False: ignore missing acknowledged writes.
        """
        mark = self.mark.read_or_zero()  # Before the database, whose generation may grow.
        unfinished = NotFoundError(
            f"{self.path.parent} contains no collection, because its creation was interrupted; "
            "create the collection again"
        )
        if is_hot_journal(self.path.with_name(f"{FILE_NAME}-journal")):
            # SQLite uses a journal only until the database has its write-ahead log.
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
                    lost = self._lost_message("the database is empty", mark)
                    remedy = (
                        "restore the folder from a backup, or remove it and build the collection "
                        "again"
                    )
                    raise CorruptFileError(self.path, lost, remedy=remedy)
                if tables == 0:
                    raise unfinished
                check_header(self.path, new=False)
                found = stored_format(connection)
                if found != FORMAT:
                    raise StorageError(
                        f"{self.path}: has format {found}, and this release reads {FORMAT}; use a "
                        f"release that reads format {found}, or build the collection again"
                    )
            missing = self._missing_writes(mark)
            if missing and complete:
                raise StorageError(missing)
        except BaseException:
            self.close()
            raise
        if not missing:
            self._close_idle()
            self._access = access

    def _to_write(self) -> Database:
        if not (os.access(self.path.parent, os.W_OK) and os.access(self.path, os.W_OK)):
            raise StorageError(
                f"{self.path}: cannot be written; make the file and its folder writable, or open "
                "the collection read-only (in Python: read_only=True)"
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

    def _missing_writes(self, mark: int) -> str | None:
        """Return an error message if acknowledged writes are missing, else None.

        mark: generation in the mark file (`mark.py`), read before this call.
        """
        with self.read() as connection:
            generation = get_number(connection, "generation")
        if generation >= mark:
            return None
        lost = self._lost_message(f"the database is at generation {generation}", mark)
        return (
            f"{self.path}: {lost}; restore the folder from a backup, or continue without these "
            "writes with `twindex verify --accept`"
        )

    def _lost_message(self, state: str, mark: int) -> str:
        return (
            f"acknowledged writes are missing ({state}, but {self.mark.path.name} records "
            f"generation {mark}), because {FILE_NAME}-wal was damaged or removed, or {FILE_NAME} "
            "was replaced by an older file; no file was changed"
        )

    def accept(self) -> None:
        """Write the database's generation into the mark file.

        Acknowledged writes that are missing are then no longer reported.
        """
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
            raise StorageError(f"{self.path}: the collection was closed; open it again")
        try:
            connection = self._idle.get_nowait()
        except Empty:
            try:
                connection = self._connect()
            except sqlite3.Error as error:
                raise StorageError(
                    f"{self.path}: cannot be opened ({error}); check the permissions of the file "
                    "and of its folder, and the free space of the disk"
                ) from error
        try:
            yield connection
        finally:
            if self._closed.is_set():
                connection.close()
            else:
                self._idle.put(connection)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Return a context manager that runs a read transaction.

        All statements in the block read the collection as it was when the transaction began.
        """
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
        """Return a context manager that runs a write transaction.

        The transaction is on disk when the block ends. It is rolled back if the block raises.
        """
        with self._write_lock, self._connection() as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                generation = get_number(connection, "generation") + 1
                set_meta(connection, "generation", str(generation))
                record_commit(connection, generation)
                self._check_identity()
                connection.execute("COMMIT")
                self.mark.raise_to(generation)
            except sqlite3.Error as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                    raise ConflictError(
                        f"{self.path}: another process has been writing to the collection for "
                        f"{BUSY_SECONDS:.0f} s; try again later"
                    ) from error
                raise self._failure(error, "cannot be written") from error
            finally:
                _rollback(connection)

    def _failure(self, error: sqlite3.Error, what: str) -> StorageError:
        """Return the error to raise for an error of SQLite: CorruptFileError if it reports damage.

        what: what failed, for messages about other errors, such as "cannot be read".
        """
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _CORRUPT or "decode" in str(error) or "malformed" in str(error):
            return CorruptFileError(self.path, f"is damaged ({error})")
        return StorageError(f"{self.path}: {what} ({error})")

    def _check_identity(self) -> None:
        """Raise StorageError if collection.db was removed or replaced while it was open.

        Writes to the removed file would be lost.
        """
        try:
            found = os.stat(self.path)
        except OSError:
            found = None
        identity: tuple[int, ...] | None = None
        if found is not None:
            identity = (found.st_dev, found.st_ino)
            if self._access is not None and (self._access.immutable or self._access.copy):
                # SQLite takes no locks here, so any write makes earlier reads invalid.
                identity += (found.st_size, found.st_mtime_ns)
        if self._identity is None:
            self._identity = identity
        if identity is None or identity != self._identity:
            raise StorageError(
                f"{self.path} was removed or replaced while it was open; open the collection again"
            )

    @contextmanager
    def apart(self) -> Iterator[sqlite3.Connection]:
        """Open a connection outside a transaction, while this process writes nothing else."""
        with self._write_lock, closing(self._connect()) as connection:
            yield connection

    def shrink(self) -> None:
        """Release free pages to the disk and empty the write-ahead log.

        It works in small steps, so that other threads and processes can write between them. If
        another process holds a lock, the next call releases the remaining pages.
        """
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA busy_timeout=1000")
            try:
                while free := connection.execute("PRAGMA freelist_count").fetchone()[0]:
                    with self._write_lock:
                        # `execute` would release one page only: it runs a single step.
                        connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
                    if connection.execute("PRAGMA freelist_count").fetchone()[0] >= free:
                        break
                connection.execute("PRAGMA busy_timeout=0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError:
                return

    def problems(self, *, deep: bool = True) -> list[str]:
        """Return a message for each problem of structure or checksums, and for missing writes.

        deep: True: check every row, and whether writes are missing. False: check only the small
            tables and the indexes for lookups by id and by filter. Only a check finds damage to
            these indexes; damage to a row is also found when the row is read.
        """
        from .integrity import problems

        found = self._mark_problems() if deep else []
        try:
            with self.read() as connection:
                found += [f"{self.path}: {problem}" for problem in problems(connection, deep=deep)]
        except CorruptFileError as error:
            found.append(f"{error.path}: {error.problem}")
        except StorageError as error:
            found.append(str(error))
        return found

    def _mark_problems(self) -> list[str]:
        try:
            missing = self._missing_writes(self.mark.read() or 0)
        except StorageError as error:
            return [str(error)]
        return [] if missing is None else [missing]

    def close(self) -> None:
        """Close all connections."""
        self._closed.set()
        self._close_idle()
        if self._access is not None and self._access.copy is not None:
            self._access.copy.cleanup()

    def _close_idle(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return


def _rollback(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # SQLite may have rolled back already, or may fail to. The first error is more useful.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


UNFINISHED = "unfinished"
"""Key in `meta` under which a build stores the names of the segments that it has started."""
