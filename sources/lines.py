"""Lines of plain and gzip files, one at a time, with errors that name the file."""

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

BOM = b"\xef\xbb\xbf"

MAX_LINE = 64 * 2**20
"""Bytes in a line, and in a text file, which is one document. It bounds what a compressed file that
unpacks to one endless line can take."""

STDIN = Path("-")
"""Names standard input."""

PIPE = f"to read from a pipe, give `{STDIN}`"
"""What to do instead of naming a pipe."""


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes with the line end) of a file; `.gz` is unpacked on the way.

    A byte order mark at the start is dropped. Raises SourceError when the file cannot be read, is
    not a regular file, or has a line of more than `MAX_LINE` bytes.
    """
    with reading(path) as file:
        number = 0
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise SourceError(
                    f"the line has more than {MAX_LINE:,} bytes; is this the right kind of file?",
                    path=path,
                    line=number,
                )
            yield number, line.removeprefix(BOM) if number == 1 else line


def read_whole(path: Path) -> str:
    """The text of one UTF-8 file, line ends as `\\n`. Raises SourceError for a file of more than
    `MAX_LINE` bytes, a NUL byte and, with its line, the first byte that is not UTF-8."""
    with reading(path) as file:
        content = file.read(MAX_LINE + 1)
    if len(content) > MAX_LINE:
        raise SourceError(f"has more than {MAX_LINE:,} bytes; split it", path=path)
    content = content.removeprefix(BOM)
    if (place := content.find(b"\0")) >= 0:
        line = content.count(b"\n", 0, place) + 1
        message = "holds a NUL byte: binary data, or text in UTF-16; convert it to UTF-8"
        raise SourceError(message, path=path, line=line)
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SourceError(f"not UTF-8: {error.reason}", path=path, line=line) from None


def decode(content: bytes, path: Path, line: int) -> str:
    """One line as text, without its line end. Raises SourceError when it is not UTF-8."""
    try:
        return content.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SourceError(f"not UTF-8: {error.reason}", path=path, line=line) from None


def plain_suffix(path: Path) -> str:
    """The suffix in lower case that says the format: `.jsonl` for `corpus.jsonl.gz`."""
    name = path.name.lower()
    return Path(name.removesuffix(".gz")).suffix


def open_source(path: Path) -> BufferedIOBase:
    """Open a file to be read; `.gz` is unpacked, `-` is standard input.

    Raises SourceError for what is not a regular file: a pipe or a device may never end.
    """
    if path == STDIN:
        if sys.stdin is None:  # The process was started without one.
            raise SourceError("standard input is closed", path=path)
        return cast(BufferedIOBase, os.fdopen(os.dup(sys.stdin.fileno()), "rb"))
    check_regular(path, PIPE)
    if path.name.lower().endswith(".gz"):
        return gzip.open(path)
    return cast(BufferedIOBase, path.open("rb"))


@contextmanager
def reading(path: Path) -> Iterator[BufferedIOBase]:
    """The open file, as `open_source` does. Raises SourceError, inside too, when it cannot be read
    or is a damaged gzip file."""
    try:
        with open_source(path) as file:
            yield file
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"damaged gzip file: {error}", path=path) from None
    except OSError as error:
        raise unreadable(path, error) from None
