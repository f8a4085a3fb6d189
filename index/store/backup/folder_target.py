"""Snapshots in a folder of a file system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ....core import NotFoundError, StorageError
from ...arrays.files import sync_directory
from ...arrays.temporary import temporary_folder
from .manifest import MANIFEST, is_name

_PARTIAL = ".partial-"
_REMOVED = ".removed-"
_SYNCED = 16 << 20
"""Bytes after which a growing file is synced, so that no sync delays other writes for long."""


class FolderTarget:
    """A `Target` in a folder. A snapshot is written beside its place and renamed when complete."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.address = str(path)

    def names(self) -> list[str]:
        try:
            found = [entry.name for entry in os.scandir(self.path)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failure("read", error) from error
        return [name for name in found if is_name(name) and (self.path / name / MANIFEST).exists()]

    @contextmanager
    def open(self, snapshot: str, name: str) -> Iterator[BinaryIO]:
        path = self.path / snapshot / name
        try:
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            raise NotFoundError(f"{path}: does not exist") from None
        except OSError as error:
            raise self._failure("read", error) from error
        with file:
            yield file

    @contextmanager
    def writer(self, snapshot: str) -> Iterator[FolderWriter]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._failure("written", error) from error
        with temporary_folder(self.path, _PARTIAL) as partial:
            try:
                yield FolderWriter(partial, self.path / snapshot)
            except OSError as error:
                raise self._failure("written", error) from error

    def remove(self, snapshot: str) -> None:
        with temporary_folder(self.path, _REMOVED) as trash, suppress(FileNotFoundError):
            try:
                (self.path / snapshot).rename(trash / snapshot)
                sync_directory(self.path)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise self._failure("written", error) from error

    def _failure(self, what: str, error: OSError) -> StorageError:
        return StorageError(
            f"{self.path}: snapshots cannot be {what} ({error.strerror or error}); check the "
            "permissions of the folder and the free space of the disk"
        )


class FolderWriter:
    """The `Writer` of a snapshot in a folder."""

    def __init__(self, partial: Path, final: Path) -> None:
        self._partial = partial
        self._final = final

    @contextmanager
    def file(self, name: str) -> Iterator[BinaryIO]:
        path = self._path(name)
        with path.open("xb", buffering=0) as file:
            yield _Synced(file)  # type: ignore[misc]
            os.fsync(file.fileno())
            _forget(file.fileno())

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        path = self._path(name)
        yield path
        with path.open("rb") as file:
            os.fsync(file.fileno())
            _forget(file.fileno())

    def commit(self, manifest: bytes) -> None:
        with self.file(MANIFEST) as file:
            file.write(manifest)
        for path in [*self._partial.rglob("*"), self._partial]:
            if path.is_dir():
                sync_directory(path)
        self._partial.rename(self._final)
        sync_directory(self._final.parent)

    def _path(self, name: str) -> Path:
        path = self._partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class _Synced:
    """A file that is synced while it grows. `write` writes all bytes, or raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pending = 0

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._pending += len(data)
        if self._pending >= _SYNCED:
            os.fdatasync(self._file.fileno())
            self._pending = 0
        return len(data)


def _forget(descriptor: int) -> None:
    """Release the cached pages of a synced file: searches need this memory more."""
    if hasattr(os, "posix_fadvise"):
        with suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
