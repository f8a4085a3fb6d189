"""Reads files that a caller names. Special files and files that are too large are refused."""

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
    """Return the kind of a special file in words, such as "a named pipe".

    mode: `st_mode` of the file, from `os.stat`.
    """
    return next((name for test, name in _KINDS if test(mode)), "a special file")


def check_regular(path: Path, remedy: str) -> None:
    """Raise SourceError unless the path is a regular file or a link to one.

    Pipes and devices are refused because they may never end, and because opening a pipe waits for a
    writer.

    remedy: what the caller can do instead. The error message ends with this text.
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
    """Return the content of a regular file. Raises SourceError if it exceeds `limit` bytes."""
    check_regular(path, "copy its contents to a regular file")
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > limit:
        message = f"the file has more than {limit:,} bytes; check that it is the right file"
        raise SourceError(message, path=path)
    return content


def unreadable(path: Path, error: OSError) -> SourceError:
    """Return the error for a file that the operating system cannot read."""
    message = f"cannot be read: {error.strerror or error}"
    return SourceError(message, path=path, reason="unreadable")
