"""Checks whether a folder contains a collection, or is free for a new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ....core import ConflictError, NotFoundError
from ....core.near import nearest

FILE_NAME = "collection.db"
"""Name of the database file of a collection."""
_LOOKED_AT = 1_000
"""Maximum number of entries of a folder that are read."""
_NAMED = 5
"""Maximum number of collections that an error message lists."""
_OWN = ("collection.", "build.lock", "maintenance.lock", "sync.lock", "segments", "lost+found")
"""Prefixes of the names of files that may be in a folder for a new collection.

The file system or an interrupted creation of a collection leaves these files."""


def no_collection(directory: Path) -> NotFoundError:
    """Return the error for a folder that contains no collection or does not exist.

    The message names collections in direct subfolders of the folder. If the folder does not exist,
    the message names a collection in the same parent folder with a similar name.
    """
    if not directory.exists():
        beside = (directory.parent / name for name in _names(directory.parent))
        near = nearest(directory.name, (one.name for one in beside if _is_file(one / FILE_NAME)))
        hint = "" if near is None else f"; did you mean {directory.with_name(near)}?"
        return NotFoundError(f"{directory}: no such folder{hint}")
    inside = (name for name in _names(directory) if _is_file(directory / name / FILE_NAME))
    found = sorted(islice(inside, _NAMED + 1))
    message = f"{directory} contains no collection (it has no file {FILE_NAME})"
    if found:
        more = ", ..." if len(found) > _NAMED else ""
        paths = ", ".join(str(directory / name) for name in found[:_NAMED])
        message += f"; name one of the collections in it: {paths}{more}"
    return NotFoundError(message)


def is_collection(directory: Path) -> bool:
    """Return True if a folder contains the database file of a collection."""
    return (directory / FILE_NAME).is_file()


def check_free(directory: Path) -> None:
    """Raise ConflictError if a folder for a new collection contains other files.

    Hidden files and leftovers of an interrupted creation are ignored. A folder that does not exist
    is free. The function does not raise for the folder of a collection; the caller must check this.
    """
    names = list(_names(directory))
    others = [name for name in names if not name.startswith((".", *_OWN))]
    if (other := min(others, default=None)) is not None and FILE_NAME not in names:
        raise ConflictError(
            f"{directory} already contains other files, such as {other}; use a new or empty "
            f"folder, for example {directory / 'index'}"
        )


def _names(directory: Path) -> Iterator[str]:
    """Yield at most `_LOOKED_AT` names in a folder. Yields none for an unreadable folder."""
    try:
        with os.scandir(directory) as entries:
            yield from [entry.name for entry in islice(entries, _LOOKED_AT)]
    except OSError:
        return


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False
