"""Finds the files of a folder, and decides which of them are read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ..core import InvalidInputError
from ..core.errors import shown
from ..core.files import special
from .formats.kinds import RECORD_SUFFIXES, format_of
from .formats.limits import MAX_FOLDERS
from .formats.reasons import OTHER_KIND, RECORDS
from .lines import plain_suffix

HIDDEN = "hidden"
EXCLUDED = "excluded"
LINK = "broken or endless link"
_FOLDER_LINK = "link to a folder"
_DEEP = f"inside more than {MAX_FOLDERS} folders"
UNREADABLE = "unreadable"


def name_in(path: Path, folder: Path) -> str:
    """Return the path of a file relative to a folder, with slashes: its document id."""
    return path.relative_to(folder).as_posix()


def walk(folder: Path, exclude: Sequence[str] = ()) -> Iterator[tuple[Path, str | None]]:
    """Yield (path, reason) for the files in a folder and its subfolders, without opening them.

    `reason` says why the file is skipped; it is None for a file to read. For a skipped folder, the
    folder itself is yielded, without its files. Links to folders are not followed.

    exclude: shell patterns, such as `node_modules` or `drafts/*.md`. A file or folder is skipped if
             its name, or its path relative to `folder`, matches one of them. A pattern that
             ends with a slash matches folders only.

    Raises InvalidInputError if `exclude` is a single string instead of a list.
    """
    check_exclude(exclude)
    open_folders = [(folder, 1)]
    while open_folders:
        parent, depth = open_folders.pop()
        try:
            with os.scandir(parent) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            yield parent, UNREADABLE
            continue
        for entry in found:
            path = Path(entry.path)
            if entry.name.startswith("."):
                yield path, HIDDEN
            elif any(_matches(entry, folder, pattern) for pattern in exclude):
                yield path, EXCLUDED
            elif entry.is_dir(follow_symlinks=False):
                if depth >= MAX_FOLDERS:
                    yield path, _DEEP
                else:
                    open_folders.append((path, depth + 1))
            else:
                yield path, _reason_to_skip(path, is_link=entry.is_symlink())


def check_exclude(exclude: Sequence[str]) -> None:
    """Raise InvalidInputError if `exclude` is a single string instead of a list of patterns."""
    if isinstance(exclude, str):
        message = f"must be a list of patterns, such as [{shown(exclude)}], not a string"
        raise InvalidInputError(message, field="exclude")


def _matches(entry: os.DirEntry[str], folder: Path, pattern: str) -> bool:
    if pattern.endswith("/"):
        if not entry.is_dir(follow_symlinks=False):
            return False
        pattern = pattern.rstrip("/")
    path = Path(entry.path)
    return fnmatchcase(path.name, pattern) or fnmatchcase(name_in(path, folder), pattern)


def _reason_to_skip(path: Path, *, is_link: bool) -> str | None:
    try:
        found = path.stat()
    except OSError:
        return LINK if is_link else UNREADABLE
    if stat.S_ISDIR(found.st_mode):
        return _FOLDER_LINK
    if format_of(path.name) is None:
        return RECORDS if plain_suffix(path) in RECORD_SUFFIXES else OTHER_KIND
    if not stat.S_ISREG(found.st_mode):
        return special(found.st_mode).removeprefix("a ")
    return None if os.access(path, os.R_OK) else UNREADABLE
