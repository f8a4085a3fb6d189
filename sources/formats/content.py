"""Recognises the format of a file by its first bytes."""

from __future__ import annotations

import re
from mmap import ACCESS_READ, mmap
from pathlib import Path

from .kinds import (
    EPUB,
    HTML,
    MARKDOWN,
    OPEN_DOCUMENTS,
    PDF,
    SHEETS,
    SLIDES,
    WORD,
    ZIP,
    Format,
)
from .reasons import DAMAGED, ENCRYPTED, WRONG_SUFFIX, UnreadableError

HEAD = 2048
"""Number of bytes that `checked_format` reads from the start of a file."""

_ZIPPED = (WORD, SLIDES, SHEETS, EPUB, *OPEN_DOCUMENTS, ZIP)
_CHECKED = (HTML, PDF, *_ZIPPED)
_OFFICE = (WORD, SLIDES, SHEETS)
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_BINARY = (
    *((start, "a ZIP archive, an Office file or an EPUB") for start in _ZIP_STARTS),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (.doc, .xls, .ppt)"),
    (b"{\\rtf", "an RTF file"),
    (b"%!PS", "a PostScript file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
)
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_PART = "EncryptedPackage".encode("utf-16-le")
_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}>\s*|<!--.{0,500}?-->\s*){0,5}"
    rb"<(?:!doctype\s+html|html[\s>])",
    re.IGNORECASE | re.DOTALL,
)


def checked_format(path: Path, promised: Format) -> Format:
    """Return the format of a file, after checking its first bytes.

    promised: the format that belongs to the suffix of the file.

    Returns PDF or HTML for a PDF file or web page with another suffix. Otherwise returns
    `promised`. Formats of plug-ins are not checked.

    Raises UnreadableError if the content has another format than `promised`, so that binary data is
    never read as text.
    """
    if promised not in _CHECKED and promised.reader is not None:
        return promised
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"%PDF-") or (promised is PDF and b"%PDF-" in head):
        return PDF
    is_zip = head.startswith(_ZIP_STARTS)
    if promised in _ZIPPED and is_zip:
        return promised
    if promised in _OFFICE and head.startswith(_OLD_OFFICE) and _holds(path, _ENCRYPTED_PART):
        raise UnreadableError(ENCRYPTED, "is encrypted; save it without a password")
    if promised not in (HTML, MARKDOWN) and not _is_code(promised) and _PAGE.match(head):
        return HTML
    found = next((name for start, name in _BINARY if head.startswith(start)), None)
    if found is not None:
        raise UnreadableError(WRONG_SUFFIX, f"is {found}; give the file the right suffix")
    if promised is PDF or promised in _ZIPPED:
        name = promised.suffixes[0]
        raise UnreadableError(DAMAGED, f"is not a valid {name} file; create it again")
    return promised


def _is_code(kind: Format) -> bool:
    return kind.reader is None and kind.media_type != "text/plain"


def _holds(path: Path, part: bytes) -> bool:
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(part) >= 0
