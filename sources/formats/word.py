"""Reads Word files (.docx) as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .converted import Converted
from .limits import Limits
from .markdown_text import PAGE, heading, item, join, one_line, paragraph, table
from .office import properties
from .zipped import check_zip

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_TEXTBOX = f"{_W}txbxContent"
_SKIPPED = frozenset({f"{_W}del", f"{_W}moveFrom", _FALLBACK, f"{_W}rPr", f"{_W}pPr"})
_BREAK = f"{_W}lastRenderedPageBreak"
_HEADING = re.compile(r"heading (\d)$", re.IGNORECASE)
_MAX_BASES = 10
_NOTES = ("footnotes", "endnotes")


def read_word(path: Path, limits: Limits) -> Converted:
    """Return the text of a Word file: body, tables, text boxes, footnotes and endnotes.

    Text that a tracked change deletes is left out. The text is divided into pages only if the file
    contains the page breaks that a word processor stored when it last saved the file.

    Raises UnreadableError for a damaged or encrypted file.
    """
    from docx import Document

    check_zip(path, limits, "word/document.xml")
    document: Any = Document(str(path))
    reader = _Reader(document)
    text = join(reader.blocks(document.element.body)).replace(f"\n\n{PAGE}\n\n", f"\n{PAGE}")
    notes = [join(reader.notes(part)) for part in _note_parts(document)]
    metadata = properties(document.core_properties)
    if (count := text.count(PAGE)) > 0:
        metadata["pages"] = count + 1
    title = one_line(document.core_properties.title or "") or reader.title
    return Converted(join([text, *notes]) + "\n", title, metadata)


class _Reader:
    """Reads the elements of a document.

    title: text of the first paragraph with the style "Title"; "" before it is read.
    """

    def __init__(self, document: Any) -> None:
        self.title = ""
        self._styles = {style.style_id: _style(style) for style in document.styles}

    def blocks(self, container: Any) -> Iterator[str]:
        """Yield the blocks of an element, and PAGE where a page begins."""
        for child in container:
            if child.tag == f"{_W}p":
                yield from self._paragraph(child)
            elif child.tag == f"{_W}tbl":
                yield table(self._rows(child))
            elif child.tag not in _SKIPPED and isinstance(child.tag, str):
                yield from self.blocks(child)

    def notes(self, part: Any) -> Iterator[str]:
        for note in part:
            if note.get(f"{_W}type") is None:  # Others are separators.
                yield from (block for block in self.blocks(note) if block != PAGE)

    def _paragraph(self, element: Any) -> Iterator[str]:
        boxes: list[Any] = []
        before, *others = "".join(_texts(element, boxes)).split(PAGE)
        text = " ".join([before, *others])
        if others and not before.strip():
            yield from [PAGE] * len(others)
        yield self._block(element, text)
        if others and before.strip():  # The paragraph begins on the page before.
            yield from [PAGE] * len(others)
        for box in boxes:
            yield from self.blocks(box)

    def _block(self, element: Any, text: str) -> str:
        found = element.find(f"{_W}pPr/{_W}pStyle")
        style = self._styles.get(found.get(f"{_W}val", ""), "") if found is not None else ""
        if match := _HEADING.match(style):
            return heading(int(match[1]), text)
        if style == "Title":
            self.title = self.title or one_line(text)
            return heading(1, text)
        level = element.find(f"{_W}pPr/{_W}numPr/{_W}ilvl")
        if level is not None or style.startswith("List "):
            depth = level.get(f"{_W}val", "0") if level is not None else "0"
            return item(text, int(depth) if depth.isdecimal() else 0)
        return paragraph(text)

    def _rows(self, element: Any) -> Iterator[list[str]]:
        for row in element.iter(f"{_W}tr"):
            if _table_of(row) is element:
                cells = (cell for cell in row.iter(f"{_W}tc") if _table_of(cell) is element)
                yield [self._cell(cell) for cell in cells]

    def _cell(self, element: Any) -> str:
        boxes: list[Any] = []
        texts = ("".join(_texts(one, boxes)) for one in element.iter(f"{_W}p"))
        return " ".join(texts).replace(PAGE, " ")


def _style(style: Any) -> str:
    """Return the name of the heading style that `style` is, or is based on.

    Returns the name of `style` itself if it is not based on a heading style.
    """
    names: list[str] = []
    while style is not None and len(names) < _MAX_BASES:
        names.append(style.name or "")
        style = getattr(style, "base_style", None)
    return next((name for name in names if _HEADING.match(name)), names[0])


def _table_of(element: Any) -> Any:
    parent = element.getparent()
    while parent is not None and parent.tag != f"{_W}tbl":
        parent = parent.getparent()
    return parent


def _texts(element: Any, boxes: list[Any]) -> Iterator[str]:
    """Yield the pieces of text in a paragraph. The text boxes inside are added to `boxes`."""
    for child in element:
        if child.tag == f"{_W}t":
            yield child.text or ""
        elif child.tag in (f"{_W}tab", f"{_W}br", f"{_W}cr"):
            yield " "
        elif child.tag == f"{_W}noBreakHyphen":
            yield "-"
        elif child.tag == _BREAK:
            yield PAGE
        elif child.tag == _TEXTBOX:
            boxes.append(child)
        elif child.tag not in _SKIPPED:
            yield from _texts(child, boxes)


def _note_parts(document: Any) -> Iterator[Any]:
    from lxml import etree

    for relation in document.part.rels.values():
        if not relation.is_external and relation.reltype.rpartition("/")[2] in _NOTES:
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            yield etree.fromstring(relation.target_part.blob, parser)
