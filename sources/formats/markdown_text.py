"""Functions that write Markdown, for readers of files with structure.

Ordinary text may look like Markdown. A backslash is therefore put before a line that Markdown would
read as a heading, as the underline of a heading, or as the start of code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

PAGE = "\f"
"""Separates pages and slides."""

_BLANKS = re.compile(r"[ \t\r\n\v\f\xa0]+")
_SPECIAL = re.compile(r"^( {0,3})(?=#{1,6}(?:[ \t]|$)|```|~~~)", re.MULTILINE)
_UNDERLINE = re.compile(r"(\S[ \t]*\n {0,3})(?=(?:=+|-+)[ \t]*$)", re.MULTILINE)
_UNPRINTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff\xad]")
_TICKS = re.compile(r"`{3,}")
MAX_LEVEL = 6


def clean(text: str) -> str:
    """Return text without control characters and soft hyphens. Tabs and line ends are kept."""
    return _UNPRINTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """Return text on one line, with single spaces."""
    return _BLANKS.sub(" ", clean(text)).strip()


def paragraph(text: str) -> str:
    """Return text as a Markdown paragraph. Line ends inside the text are kept."""
    return _UNDERLINE.sub(r"\1\\", _SPECIAL.sub(r"\1\\", clean(text).strip()))


def heading(level: int, text: str) -> str:
    """Return text as a Markdown heading; "" for an empty text.

    level: 1 (highest) to 6. A greater level counts as 6.
    """
    text = one_line(text)
    return f"{'#' * max(1, min(level, MAX_LEVEL))} {text}" if text else ""


def code(text: str) -> str:
    """Return text as a fenced block of code; "" for a blank text."""
    text = clean(text).strip("\n").rstrip()
    if not text:
        return ""
    longest = max((len(found) for found in _TICKS.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{text}\n{fence}"


def item(text: str, depth: int = 0, mark: str = "-") -> str:
    """Return text as an item of a Markdown list; "" for an empty text.

    depth: number of lists around the item's own list; 0 for a list that is not in another list.
    mark:  start of the item: "-" or a number, such as "1.".
    """
    text = one_line(text)
    return f"{'  ' * min(depth, 8)}{mark} {text}" if text else ""


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows of cells as a Markdown table. The first row is its header.

    Blank rows, and blank cells at the ends of rows, are left out. The cells of a table with only
    one column become paragraphs.
    """
    cells = [[one_line(cell).replace("|", "\\|") for cell in row] for row in rows]
    for row in cells:
        while row and not row[-1]:
            row.pop()
    cells = [row for row in cells if row]
    width = max(map(len, cells), default=0)
    if width < 2:
        return join(paragraph(cell) for row in cells for cell in row)
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])


def join(blocks: Iterable[str]) -> str:
    """Return blocks as one text, with an empty line between them. Empty blocks are left out."""
    return "\n\n".join(block for block in blocks if block)


def pages(texts: Sequence[str]) -> str:
    """Return the texts of pages as one text, with `PAGE` between them."""
    return PAGE.join(f"{text}\n" for text in texts)
