"""Files that a caller names: what is not a regular file, or too large, is refused by name."""

from __future__ import annotations

import stat
from pathlib import Path

from .errors import SourceError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def special(mode: int) -> str:
    """What a file is that is not a regular one, in words."""
    return next((name for test, name in _KINDS if test(mode)), "a special file")


def check_regular(path: Path, remedy: str) -> None:
    """Raise SourceError unless the path, or what it links to, is a regular file.

    A pipe or a device may never end, and opening a pipe waits for a writer.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(mode):
        raise SourceError("is a folder; name a file in it", path=path)
    if not stat.S_ISREG(mode):
        raise SourceError(f"is {special(mode)}, not a regular file; {remedy}", path=path)


def read_bounded(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Raises SourceError."""
    check_regular(path, "copy what it holds to a file")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > limit:
        message = f"has more than {limit:,} bytes; is this the right file?"
        raise SourceError(message, path=path)
    return content


def unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"cannot be read: {error.strerror or error}", path=path)
