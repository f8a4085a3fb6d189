"""The file with the lines of a bulk request, from the upload until its job has ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

from ...core import StorageError
from ..arrays.files import sync_directory, try_lock

_PIECE = 1 << 20


class Upload:
    """An open file with the lines of a bulk job that is not queued yet.

    A lock on the file prevents other processes from removing it. The operating system releases the
    lock when the process ends. All methods except `discard` raise StorageError if the file cannot
    be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._kept = False
        # A request that ends early must not close the descriptor that a thread writes to.
        self._lock = Lock()
        try:
            while self._descriptor is None:
                self._descriptor = try_lock(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, data: bytes | bytearray) -> None:
        """Append `data` to the file. The data is safely on disk only after `sync`."""
        rest = memoryview(data)
        with self._lock:
            try:
                while rest:
                    rest = rest[os.write(self._open(), rest) :]
            except OSError as error:
                raise self._failure(error) from error

    def sync(self) -> None:
        """Wait until all written data is on disk."""
        with self._lock:
            try:
                os.fsync(self._open())
                sync_directory(self.path.parent)
            except OSError as error:
                raise self._failure(error) from error

    def move(self, path: Path) -> None:
        """Let the lines be in the file `path`, durably.

        The folder of a collection may have been exchanged after the file was created in it. The
        folder that is now under its name then lacks the file.
        """
        with self._lock:
            descriptor = self._open()
            try:
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), path.stat()):
                        self.path = path
                        return
                with suppress(FileExistsError):
                    path.parent.mkdir()
                with path.open("wb") as file:
                    at = 0
                    while piece := os.pread(descriptor, _PIECE, at):
                        file.write(piece)
                        at += len(piece)
                    file.flush()
                    os.fsync(file.fileno())
                sync_directory(path.parent)
                self.path = path
            except OSError as error:
                raise self._failure(error) from error

    def keep(self) -> None:
        """Close the file and leave it on disk for the job, which must be queued already.

        `discard` then does nothing.
        """
        with self._lock:
            self._kept = True
            self._close()

    def discard(self) -> None:
        """Remove the file unless `keep` was called."""
        with self._lock:
            if not self._kept:
                self.path.unlink(missing_ok=True)
                self._close()

    def _open(self) -> int:
        if self._descriptor is None:
            raise StorageError(f"{self.path}: this upload was closed; send the lines again")
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _failure(self, error: OSError) -> StorageError:
        return StorageError(f"{self.path}: the upload cannot be stored ({error.strerror})")


def remove_stray(path: Path, is_wanted: Callable[[], bool]) -> None:
    """Remove the uploaded file `path` if no process is writing it and no job needs it.

    is_wanted: returns True if a job needs the file. The file is locked during this call and the
        removal, so no job can be queued in between.

    Does nothing if the folder is not writable.
    """
    try:
        descriptor = try_lock(path, os.O_RDONLY)
        if descriptor is None:
            return
        try:
            if not is_wanted():
                path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)
    except OSError:
        return
