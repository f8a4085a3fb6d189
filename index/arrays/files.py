"""Checksums of files, syncing to disk, and a lock between processes."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...core import CorruptFileError, StorageError

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class FileState:
    """Size in bytes and CRC-32 of a file."""

    size: int
    crc32: int


def state_of(path: Path) -> FileState:
    """Return the size and CRC-32 of a file. Reads the whole file."""
    crc = 0
    size = 0
    with path.open("rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            crc = zlib.crc32(block, crc)
            size += len(block)
    return FileState(size, crc)


def seal_directory(directory: Path) -> dict[str, FileState]:
    """Sync `directory` and all files under it to disk. Return the size and CRC-32 of each file.

    The result maps the path of each file, relative to `directory`, to its state. After this call, a
    crash cannot lose or change the files.
    """
    states = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            states[path.relative_to(directory).as_posix()] = state_of(path)
    for path in [*directory.rglob("*"), directory, directory.parent]:
        if path.is_dir():
            sync_directory(path)
    return states


def sync_directory(path: Path) -> None:
    """Sync the file names of a directory to disk. Does not sync the contents of its files.

    After this call, a crash cannot undo the creation, renaming or removal of files in `path`.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_directory(
    directory: Path, states: Mapping[str, FileState], *, contents: bool
) -> Iterator[CorruptFileError]:
    """Yield an error for each file of `states` that is missing, unreadable or changed.

    states:   expected size and checksum of each file, by path relative to `directory`.
    contents: True: compare sizes and checksums, which reads every file; False: compare only sizes.
    """
    for name, expected in states.items():
        path = directory / name
        try:
            size = path.stat().st_size
            if size != expected.size:
                yield CorruptFileError(path, f"has {size} bytes instead of {expected.size}")
            elif contents and state_of(path) != expected:
                yield CorruptFileError(path, "has changed: its checksum is not the recorded one")
        except FileNotFoundError:
            yield CorruptFileError(path, "is missing")
        except OSError as error:
            yield CorruptFileError(path, f"cannot be read: {error}")


def dump_states(states: Mapping[str, FileState]) -> str:
    """Return the states of files as JSON text: an object of path -> [size, CRC-32]."""
    return json.dumps({name: [state.size, state.crc32] for name, state in states.items()})


def load_states(text: str) -> dict[str, FileState]:
    """Parse JSON text that `dump_states` returned."""
    return {name: FileState(*pair) for name, pair in json.loads(text).items()}


def remove_tree(path: Path) -> None:
    """Remove a directory and ignore errors: another process may be removing it too."""
    shutil.rmtree(path, ignore_errors=True)


def try_lock(path: Path, flags: int) -> int | None:
    """Open and lock a file or folder. Return its descriptor, which the caller closes.

    None: another process has locked it, or removed it after it was opened.

    flags: flags of `os.open`.
    """
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


@contextmanager
def exclusive(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold an exclusive lock on the file `path` in the `with` block. Yields True if it is acquired.

    The operating system releases the lock if the process that holds it ends.

    wait: what happens if another process holds the lock. True: wait for it. False: yield False at
          once.

    Raises StorageError if the file cannot be opened for writing.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be opened for writing ({error.strerror}); check its permissions"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
