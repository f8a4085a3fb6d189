"""Reads OpenDocument files (.odt, .ods, .odp), as LibreOffice writes them, as Markdown."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from .converted import Converted
from .limits import Limits
from .markdown_text import heading, item, join, one_line, pages, paragraph, table
from .reasons import DAMAGED, EMPTY, ENCRYPTED, TOO_LARGE, UnreadableError
from .zipped import check_zip

_CONTENT = "content.xml"
_META = "meta.xml"
_MANIFEST = "META-INF/manifest.xml"
_BODIES = ("text", "spreadsheet", "presentation", "drawing")
_LEFT_OUT = {
    *("tracked-changes", "annotation", "forms", "desc", "title", "ruby-text"),
    *("table-of-content", "alphabetical-index", "illustration-index", "table-index"),
}
"""Elements whose text is not part of the document: deleted text, comments and lists of contents."""
_METADATA = {
    "creator": "author",
    "language": "language",
    "keyword": "keywords",
    "creation-date": "created",
}
MOST_REPEATED = 1_000
"""Maximum number of equal cells that are repeated in a row. Empty rows may declare millions."""
MOST_SPACES = 100

Element = ElementTree.Element


def read_opendocument(path: Path, limits: Limits) -> Converted:
    """Return the text of a document, the tables of a workbook, or the slides of a presentation.

    Hidden sheets, comments and deleted text are left out. A footnote is in parentheses.

    Raises UnreadableError if the file is damaged or encrypted, has no text or exceeds `limits`.
    """
    check_zip(path, limits, _CONTENT)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if _MANIFEST in names and b"encryption-data" in archive.read(_MANIFEST):
            raise UnreadableError(ENCRYPTED, "is encrypted; save it without a password")
        content = ElementTree.fromstring(archive.read(_CONTENT))
        meta = ElementTree.fromstring(archive.read(_META)) if _META in names else None
    body = next((one for one in content.iter() if _name(one) == "body"), None)
    kinds = [] if body is None else [one for one in body if _name(one) in _BODIES]
    if not kinds:
        raise UnreadableError(DAMAGED, "has no text, sheets or slides; save it again")
    title, metadata = _properties(meta)
    reader = _Reader(content, limits)
    slides = [one for one in kinds[0] if _name(one) == "page"]
    if slides:
        texts = [join(reader.blocks(slide)) for slide in slides]
        metadata["pages"] = len(texts)
    else:
        texts = [join(reader.blocks(kinds[0], sheets=_name(kinds[0]) == "spreadsheet"))]
    if not any(texts):
        raise UnreadableError(EMPTY, "has no text")
    return Converted(pages(texts), title, metadata)


class _Reader:
    """Makes Markdown of the elements of one file. Counts the characters of tables."""

    def __init__(self, content: Element, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.characters
        self._hidden = {
            _attribute(style, "name")
            for style in content.iter()
            if _name(style) == "style"
            for one in style
            if _name(one) == "table-properties" and _attribute(one, "display") == "false"
        }

    def blocks(self, parent: Element, *, sheets: bool = False) -> Iterator[str]:
        """Yield the blocks of an element. sheets: True: each table has its name as a heading."""
        for one in parent:
            name = _name(one)
            if name in _LEFT_OUT:
                continue
            if name == "h":
                level = _attribute(one, "outline-level")
                yield heading(int(level) if level.isdecimal() else 1, _text(one))
            elif name == "p":
                yield paragraph(_text(one))
            elif name == "list":
                yield "\n".join(filter(None, self._items(one, 0)))
            elif name == "table":
                rows = list(self._rows(one))
                if rows and _attribute(one, "style-name") not in self._hidden:
                    yield heading(2, _attribute(one, "name")) if sheets else ""
                    yield table(rows)
            elif name == "frame" and _attribute(one, "class") == "title":
                yield heading(1, " ".join(_text(line) for line in _inside(one, "p")))
            else:
                yield from self.blocks(one, sheets=sheets)

    def _items(self, parent: Element, depth: int) -> Iterator[str]:
        for entry in parent:
            for one in entry:
                if _name(one) == "list":
                    yield from self._items(one, depth + 1)
                elif _name(one) in ("p", "h"):
                    yield item(_text(one), depth)

    def _rows(self, parent: Element) -> Iterator[list[str]]:
        for row in _inside(parent, "table-row"):
            cells: list[str] = []
            for cell in row:
                if _name(cell) not in ("table-cell", "covered-table-cell"):
                    continue
                text = "\n".join(_text(line) for line in _inside(cell, "p"))
                cells += [text] * _repeated(cell, "number-columns-repeated")
            while cells and not cells[-1]:
                cells.pop()
            for _ in range(_repeated(row, "number-rows-repeated") if cells else 0):
                self._left -= sum(map(len, cells)) + len(cells)
                if self._left < 0:
                    most = self._limits.characters
                    message = f"has more than {most:,} characters; split the file, or raise the "
                    raise UnreadableError(TOO_LARGE, message + "limit `characters`")
                yield cells


def _text(element: Element) -> str:
    """Return the text of a paragraph or heading."""
    parts = [element.text or ""]
    for one in element:
        name = _name(one)
        if name == "s":
            count = _attribute(one, "c")
            parts.append(" " * min(MOST_SPACES, int(count) if count.isdecimal() else 1))
        elif name in _SHORT:
            parts.append(_SHORT[name])
        elif name == "note":
            parts += [f" ({one_line(_text(body))})" for body in one if _name(body) == "note-body"]
        elif name not in _LEFT_OUT:
            parts.append(_text(one))
            parts.append("\n" if name == "p" else "")
        parts.append(one.tail or "")
    return "".join(parts)


_SHORT = {"tab": "\t", "line-break": "\n"}


def _inside(parent: Element, name: str) -> Iterator[Element]:
    """Yield the elements of a name in `parent`, but not those inside such an element."""
    for one in parent:
        if _name(one) == name:
            yield one
        elif _name(one) not in _LEFT_OUT:
            yield from _inside(one, name)


def _repeated(element: Element, attribute: str) -> int:
    count = _attribute(element, attribute)
    return min(MOST_REPEATED, int(count)) if count.isdecimal() and len(count) < 10 else 1


def _properties(meta: Element | None) -> tuple[str, dict[str, Any]]:
    """Return the title and the other properties of a file."""
    title, found = "", dict[str, Any]()
    for one in () if meta is None else meta.iter():
        text = one_line(one.text or "")[:1000]
        if text and _name(one) == "title":
            title = title or text
        elif text and (name := _METADATA.get(_name(one))):
            found.setdefault(name, text)
    return title, found


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _attribute(element: Element, name: str) -> str:
    """Return an attribute, in whatever namespace; "" if there is none."""
    return next((v for key, v in element.attrib.items() if key.rpartition("}")[2] == name), "")
