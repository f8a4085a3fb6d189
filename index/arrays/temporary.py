"""Folders for work in progress. What a killed process leaves behind is removed by the next one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...core import StorageError
from .files import remove_tree, try_lock


@contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Create a folder with a random name for the `with` block, and remove it afterwards.

    A block that succeeds renames the folder into its final place; nothing is removed then.

    parent: folder in which it is created.
    prefix: start of its name. Folders with this prefix that no running process uses are removed
        first: the operating system releases the lock of a process that was killed.

    Raises StorageError if the folder cannot be created.
    """
    remove_abandoned(parent, prefix)
    path, descriptor = _create(parent, prefix)
    try:
        yield path
    finally:
        remove_tree(path)
        os.close(descriptor)


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders in `parent` with a name that starts with `prefix` and that are not in use.

    Ignores folders that cannot be read or removed.
    """
    for path in sorted(parent.glob(f"{_escaped(prefix)}*")):
        try:
            descriptor = _locked(path)
        except OSError:
            continue
        if descriptor is not None:
            remove_tree(path)
            os.close(descriptor)


def _create(parent: Path, prefix: str) -> tuple[Path, int]:
    try:
        while True:
            path = parent / f"{prefix}{secrets.token_hex(8)}"
            path.mkdir()
            # Another process may have removed the folder before it was locked.
            if (descriptor := _locked(path)) is not None:
                return path, descriptor
    except OSError as error:
        raise StorageError(
            f"{parent}: a folder cannot be created in it ({error.strerror}); check its permissions "
            "and the free space of the disk"
        ) from error


def _locked(path: Path) -> int | None:
    """Open and lock a folder, and return its descriptor. None: it is in use or was removed."""
    try:
        return try_lock(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None


def _escaped(text: str) -> str:
    """Return a glob pattern that matches exactly `text`."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
