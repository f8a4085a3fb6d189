"""The file that a bulk body is written to before its job is queued."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from ...core import StorageError
from ..arrays.files import sync_directory


class Upload:
    """The lines of a job that is not queued yet.

    A lock on the file shows other processes that they must not remove it; the kernel releases it
    when the process dies. Every method but `discard` raises StorageError when the disk does not
    take the lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._kept = False
        # A request that ends early must not close the descriptor that a thread writes to.
        self._lock = Lock()
        try:
            while self._descriptor is None:
                self._descriptor = _locked(path, os.O_WRONLY | os.O_CREAT)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, data: bytes | bytearray) -> None:
        """Append to the file; not synced."""
        rest = memoryview(data)
        with self._lock:
            try:
                while rest:
                    rest = rest[os.write(self._open(), rest) :]
            except OSError as error:
                raise self._failure(error) from error

    def sync(self) -> None:
        """Make all that was written durable."""
        with self._lock:
            try:
                os.fsync(self._open())
                sync_directory(self.path.parent)
            except OSError as error:
                raise self._failure(error) from error

    def keep(self) -> None:
        """Leave the file to its job, which is queued now."""
        with self._lock:
            self._kept = True
            self._close()

    def discard(self) -> None:
        """Remove the file, unless it was kept."""
        with self._lock:
            if not self._kept:
                self.path.unlink(missing_ok=True)
                self._close()

    def _open(self) -> int:
        if self._descriptor is None:
            raise StorageError(f"{self.path}: the lines are no longer received")
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: the lines cannot be stored: {error.strerror}")


def remove_stray(path: Path, is_wanted: Callable[[], bool]) -> None:
    """Remove a file of lines unless a process is receiving it or its job wants it.

    `is_wanted` is called under the file's lock, so no job can be queued between the answer and the
    removal. Does nothing when the folder cannot be changed.
    """
    try:
        descriptor = _locked(path, os.O_RDONLY)
        if descriptor is None:
            return
        try:
            if not is_wanted():
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    except OSError:
        return


def _locked(path: Path, flags: int) -> int | None:
    """An open and locked file; None when another process holds it, or removed it meanwhile."""
    descriptor = os.open(path, flags, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
