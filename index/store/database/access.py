"""Opening the file of a database: to write, to read, or to read where nothing may be written."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from ....core import CorruptFileError, StorageError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 60.0
_WAL_MODE = b"\x02\x02"
"""Bytes 18 and 19 of the file: it has a write-ahead log."""


@dataclass(frozen=True, slots=True)
class Access:
    """How the connections to a database are opened.

    mode: of SQLite's URI. immutable: nobody writes to the file, so SQLite takes no locks. copy:
    holds the copy that is read instead; it is removed with this value.
    """

    path: Path
    mode: str = "rw"
    immutable: bool = False
    copy: TemporaryDirectory[str] | None = None

    def connect(self) -> sqlite3.Connection:
        """A connection that begins no transaction by itself."""
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
    """Access for reading and writing a database that exists."""
    return Access(path)


def to_read(path: Path) -> Access:
    """Access for reading, also where neither the folder nor the file can be written.

    A write-ahead log that SQLite cannot read in place is read from a temporary copy.
    """
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        # A connection that could not write would leave its lock files behind.
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
            f"{log}: holds recent writes, and the folder cannot be written, so the database must "
            f"be copied to {Path(folder.name).parent} to be read, which failed: {error}; open the "
            "collection once where its folder can be written, or set TMPDIR to a folder with room"
        ) from error
    logger.info("%s is read from a temporary copy: its folder cannot be written", path)
    return Access(Path(folder.name) / path.name, copy=folder)


def check_header(path: Path, *, new: bool) -> None:
    """Raise CorruptFileError when the file does not say that it has a write-ahead log.

    SQLite would then ignore the log, and what was acknowledged with it. `new`: accept a file that
    is just being created, which says so a moment later.
    """
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error
    modes = (_WAL_MODE, _NEW_MODE) if new else (_WAL_MODE,)
    if head and (head[:16] != b"SQLite format 3\0" or head[18:20] not in modes):
        raise CorruptFileError(path, "its header is damaged")


def is_hot(journal: Path) -> bool:
    """Whether it is a rollback journal that SQLite would undo a broken write with. One that was
    ended is removed, or has no header."""
    try:
        with journal.open("rb") as file:
            return file.read(8) == _JOURNAL
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StorageError(f"{journal}: cannot be read: {error.strerror}") from error


_JOURNAL = bytes.fromhex("d9d505f920a163d7")
_NEW_MODE = b"\x01\x01"
