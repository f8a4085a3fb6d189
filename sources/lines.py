"""Lines of plain and gzip files, one at a time, with errors that name the file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..core import SourceError

BOM = b"\xef\xbb\xbf"


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(line number from 1, bytes with the line end) of a file; `.gz` is unpacked on the way.

    A byte order mark at the start is dropped. Raises SourceError when the file cannot be read.
    """
    try:
        with _open(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.removeprefix(BOM) if number == 1 else line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"damaged gzip file: {error}", path=path) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def read_whole(path: Path) -> str:
    """The text of one UTF-8 file, line ends as `\\n`. Raises SourceError, with the line of the
    first byte that is not UTF-8."""
    try:
        content = path.read_bytes().removeprefix(BOM)
    except OSError as error:
        raise _unreadable(path, error) from None
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


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    return gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")


def _unreadable(path: Path, error: OSError) -> SourceError:
    return SourceError(f"cannot be read: {error.strerror or error}", path=path)
