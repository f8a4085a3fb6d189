"""Opens the database file of a collection. Reading also works in folders that are not writable."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from ....core import CorruptFileError, StorageError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 60.0
_WAL_MODE = b"\x02\x02"
"""Bytes 18 and 19 in the header of a database file that has a write-ahead log."""


@dataclass(frozen=True, slots=True)
class Access:
    """Options with which connections to a database are opened.

    path: the database file.
    mode: parameter `mode` of SQLite's URI: "rw", "ro" or "rwc".
    immutable: True if no process writes to the file. SQLite then takes no locks.
    copy: temporary folder with a copy of the database. The copy is read instead of the original.
        The folder is removed with this object. None: no copy.
    """

    path: Path
    mode: str = "rw"
    immutable: bool = False
    copy: TemporaryDirectory[str] | None = None

    def connect(self) -> sqlite3.Connection:
        """Open a connection in autocommit mode."""
        immutable = "&immutable=1" if self.immutable else ""
        connection = sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={self.mode}{immutable}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=BUSY_SECONDS,
        )
        connection.execute("PRAGMA synchronous=FULL")
        return connection


def to_write(path: Path) -> Access:
    """Return the options for reading and writing an existing database."""
    return Access(path)


def to_read(path: Path) -> Access:
    """Return the options for reading. Neither the folder nor the file needs to be writable.

    path: the database file.

    If SQLite cannot read the write-ahead log beside this file, the options refer to a temporary
    copy of the database.
    """
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        # A read-only connection would leave its lock files behind.
        return Access(path)
    log, shared = Path(f"{path}-wal"), Path(f"{path}-shm")
    if log.exists() and shared.exists():
        access = Access(path, "ro")
        if _readable(access):
            return access
    if not log.exists() or log.stat().st_size == 0:
        return Access(path, "ro", immutable=True)
    return _copied(path, log)


def _readable(access: Access) -> bool:
    try:
        with closing(access.connect()) as connection:
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


def _copied(path: Path, log: Path) -> Access:
    folder = TemporaryDirectory(prefix="twindex-")
    try:
        for file in (path, log):
            shutil.copyfile(file, Path(folder.name) / file.name)
    except OSError as error:
        folder.cleanup()
        raise StorageError(
            f"{log}: the folder of this file is not writable, and the database could not be copied "
            f"to {Path(folder.name).parent} ({error}); open the collection once with write access "
            "to its folder, or set TMPDIR to a folder with enough space"
        ) from error
    logger.info("%s is read from a temporary copy, because its folder is not writable", path)
    return Access(Path(folder.name) / path.name, copy=folder)


def check_header(path: Path, *, new: bool) -> None:
    """Raise CorruptFileError unless the header of the database declares a write-ahead log.

    Without this declaration SQLite ignores the log and the acknowledged writes in it.

    new: True: also accept a database that is being created and does not declare a log yet.

    Raises StorageError if the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror})") from error
    modes = (_WAL_MODE, _NEW_MODE) if new else (_WAL_MODE,)
    if head and (head[:16] != b"SQLite format 3\0" or head[18:20] not in modes):
        raise CorruptFileError(
            path, "is damaged (its header is not that of an SQLite database with a write-ahead log)"
        )


def is_hot_journal(journal: Path) -> bool:
    """Return True if `journal` is a rollback journal of an interrupted write.

    SQLite removes the journal of a finished write or clears its header.
    """
    try:
        with journal.open("rb") as file:
            return file.read(8) == _JOURNAL
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{journal}: cannot be read ({error.strerror})") from error


_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_NEW_MODE = b"\x01\x01"


def enable_wal(connection: sqlite3.Connection) -> None:
    """Switch a new database to a write-ahead log (WAL).

    SQLite fails at once in this step if another process is creating the same collection. So this
    function retries for `BUSY_SECONDS`.
    """
    until = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(0.01)
