"""Reads plain and gzip files line by line. Errors name the file."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import cast

from ..core import SourceError
from ..core.files import check_regular, unreadable
from .formats.reasons import DAMAGED, TOO_LARGE

BOM = b"\xef\xbb\xbf"

MAX_LINE = 64 * 2**20
"""Maximum size of a line, and of a text file, in bytes. Without this limit, a compressed file that
unpacks to one endless line would fill the memory."""

STDIN = Path("-")
"""The path that means standard input."""

PIPE = f"to read from a pipe, use `{STDIN}`"
"""Remedy in the error message for a pipe."""


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, bytes including the line end) for each line of a file.

    `.gz` files are decompressed. A byte order mark at the start is removed. Raises SourceError if
    the file cannot be read, is not a regular file, or has a line of more than `MAX_LINE` bytes.
    """
    with reading(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise SourceError(
                    f"the line has more than {MAX_LINE:,} bytes; check the type of the file",
                    path=path,
                    line=number,
                )
            yield number, line.removeprefix(BOM) if number == 1 else line


def read_whole(path: Path) -> str:
    """Return the text of a UTF-8 file, with line ends as `\\n`.

    Raises SourceError for a file that cannot be read or has more than `MAX_LINE` bytes. Raises
    SourceError, with the line, for a NUL byte and for bytes that are not UTF-8.
    """
    with reading(path) as file:
        content = file.read(MAX_LINE + 1)
    if len(content) > MAX_LINE:
        message = f"the file has more than {MAX_LINE:,} bytes; split it"
        raise SourceError(message, path=path, reason=TOO_LARGE)
    content = content.removeprefix(BOM)
    if (position := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, position) + 1
        message = "the line has a NUL byte, like binary data or UTF-16; convert the file to UTF-8"
        raise SourceError(message, path=path, line=line, reason=DAMAGED)
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"the line is not UTF-8 ({error.reason}); convert the file to UTF-8",
            path=path,
            line=line,
            reason=DAMAGED,
        ) from None


def decode(content: bytes, path: Path, line: int) -> str:
    """Return a line as text without its line end. Raises SourceError if it is not UTF-8."""
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"the line is not UTF-8 ({error.reason}); convert the file to UTF-8",
            path=path,
            line=line,
        ) from None


def plain_suffix(path: Path) -> str:
    """Return the suffix of a file in lower case, without `.gz`: `.jsonl` for `corpus.jsonl.gz`."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def open_source(path: Path) -> BufferedIOBase:
    """Open a file for reading. `.gz` files are decompressed; `-` is standard input.

    Raises SourceError if the path is not a regular file, because a pipe or a device may never end.
    """
    if path == STDIN:
        if sys.stdin is None:  # The process was started without standard input.
            raise SourceError("standard input is closed; name a file instead", path=path)
        return cast(BufferedIOBase, os.fdopen(os.dup(sys.stdin.fileno()), "rb"))
    check_regular(path, PIPE)
    if path.name.lower().endswith(".gz"):
        return gzip.open(path)
    return cast(BufferedIOBase, path.open("rb"))


@contextmanager
def reading(path: Path) -> Iterator[BufferedIOBase]:
    """Open a file as `open_source` does, and close it at the end of the `with` block.

    Raises SourceError if the file cannot be read or is a damaged gzip file. Errors of reading
    inside the block become SourceError too.
    """
    try:
        with open_source(path) as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"the file is not valid gzip ({error}); create it again", path=path
        ) from None
    except OSError as error:
        raise unreadable(path, error) from None
