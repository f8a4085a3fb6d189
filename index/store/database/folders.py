"""Errors about folders that should hold a collection, or be free for a new one."""

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
"""Maximum number of entries of a folder that are looked at."""
_NAMED = 5
"""Maximum number of collections that an error names."""
_OWN = ("collection.", "build.lock", "maintenance.lock", "sync.lock", "segments", "lost+found")
"""Beginnings of names that an interrupted creation, or the file system, leaves in a folder."""


def no_collection(directory: Path) -> NotFoundError:
    """Return the error for a folder without a collection, or that does not exist.

    It names collections directly in the folder, or a collection beside it with a similar name.
    """
    if not directory.exists():
        beside = (directory.parent / name for name in _names(directory.parent))
        near = nearest(directory.name, (one.name for one in beside if _is_file(one / FILE_NAME)))
        hint = "" if near is None else f"; did you mean {directory.with_name(near)}?"
        return NotFoundError(f"{directory}: no such folder{hint}")
    inside = (name for name in _names(directory) if _is_file(directory / name / FILE_NAME))
    found = sorted(islice(inside, _NAMED + 1))
    message = f"{directory} contains no collection (no {FILE_NAME})"
    if found:
        more = ", ..." if len(found) > _NAMED else ""
        paths = ", ".join(str(directory / name) for name in found[:_NAMED])
        message += f"; name one of the collections in it: {paths}{more}"
    return NotFoundError(message)


def is_collection(directory: Path) -> bool:
    """Return True if a folder holds the database of a collection."""
    return (directory / FILE_NAME).is_file()


def check_free(directory: Path) -> None:
    """Raise ConflictError, which names a file, if a new collection would mix with other files.

    Hidden files do not count, nor do the leftovers of an interrupted creation. A folder that does
    not exist is free. A folder with a database is left to the caller.
    """
    names = list(_names(directory))
    others = [name for name in names if not name.startswith((".", *_OWN))]
    if (other := min(others, default=None)) is not None and FILE_NAME not in names:
        raise ConflictError(
            f"{directory} already holds other files, such as {other}; name a new or empty folder, "
            f"for example {directory / 'index'}"
        )


def _names(directory: Path) -> Iterator[str]:
    """Yield the names in a folder, at most `_LOOKED_AT`. Yields none if it cannot be read."""
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
