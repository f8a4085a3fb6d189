"""Reads PDF files as Markdown, with a form feed between pages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from .converted import Converted
from .limits import Limits
from .markdown_text import clean, heading, one_line, pages, paragraph
from .reasons import DAMAGED, EMPTY, ENCRYPTED, IMAGES, TOO_LARGE, UnreadableError

_PASSWORD, _SECURITY = 4, 5
"""Error codes of PDFium."""
_HYPHEN = re.compile("[\x02\ufffe\xad]\\s?\n?")
"""The hyphen of a word that continues on the next line, as PDFium marks it."""
_DATE = re.compile(r"(?:D:)?(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)(\d\d)?)?(Z|[+-]\d\d'?\d\d)?")
_WORD = re.compile(r"\w+")
_NUMBERED = re.compile(r"^\s*(?:[A-Za-z]+\s+)?[\dIVXivx.]+[.:)]?\s+")
_FILE_NAME = re.compile(r"\.(dvi|docx?|indd|odt|p65|pmd|ps|qxd|rtf|tex|xlsx?)$", re.IGNORECASE)
"""The end of a title that is the name of the file from which a program created the PDF."""
_SAME_LINE = 1.0
"""Maximum distance, in points, between baselines in one line, whose parts may differ in font."""
_LARGE = 1.35
"""Minimum distance of two paragraphs, as a multiple of the usual distance of lines on the page."""
_MAX_BOOKMARKS = 20_000


def read_pdf(path: Path, limits: Limits) -> Converted:
    """Return the text of a PDF file as Markdown.

    A line that is the title of a bookmark on its page becomes a heading. `pages_without_text` in
    the metadata counts the pages without text, such as scans, if there are any.

    Raises UnreadableError for an invalid or encrypted file, and for a file without any text.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in (_PASSWORD, _SECURITY):
            message = "is encrypted; save it without a password"
            raise UnreadableError(ENCRYPTED, message) from None
        message = f"is not a valid PDF file ({error}); create it again"
        raise UnreadableError(DAMAGED, message) from None
    with document:
        titles = _bookmarks(document)
        texts: list[str] = []
        images = characters = 0
        for number in range(len(document)):
            text, has_image = _page(document, number)
            if not text:
                images += has_image
            characters += len(text)
            if characters > limits.characters:
                message = f"has more than {limits.characters:,} characters of text; split the file"
                message += ", or raise the limit `characters`"
                raise UnreadableError(TOO_LARGE, message)
            texts.append(_with_headings(text, titles.get(number, ())))
        if not characters:
            if images:
                message = "has only images and no text; recognise its text first (OCR)"
                raise UnreadableError(IMAGES, message)
            raise UnreadableError(EMPTY, "has no text; it may have drawings")
        metadata: dict[str, Any] = {"pages": len(texts)}
        if without := sum(not text for text in texts):
            metadata["pages_without_text"] = without
        for name, key in (("author", "Author"), ("keywords", "Keywords")):
            if value := one_line(document.get_metadata_value(key))[:1000]:
                metadata[name] = value
        if created := pdf_date(document.get_metadata_value("CreationDate")):
            metadata["created"] = created
        title = one_line(document.get_metadata_value("Title"))
        title = "" if _FILE_NAME.search(title) else title
        return Converted(pages(texts), title, metadata)


def _page(document: Any, number: int) -> tuple[str, bool]:
    """Return (text, whether the page is a scan: an image without text); ("", False) if damaged."""
    import pypdfium2

    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return "", False
    try:
        content = page.get_textpage()
        lines = _paragraphs(content, content.get_text_bounded().split("\r\n"))
        content.close()
        text = clean(_HYPHEN.sub("", "\n".join(lines))).strip()
        if text:
            return text, False
        images = page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
        return "", next(iter(images), None) is not None
    finally:
        page.close()


def _paragraphs(content: Any, lines: list[str]) -> list[str]:
    """Return the lines of a page, with an empty line wherever the gap between two lines is large.

    content: text page of PDFium, which has the positions of the characters.
    lines:   text of each line.

    Returns `lines` unchanged if the positions of the lines are unknown.
    """
    from pypdfium2.raw import FPDFText_GetCharIndexFromTextIndex

    rows = content.get_text_range().split("\r\n")  # These have places, but only in UCS-2.
    if len(rows) != len(lines):
        return lines
    heights: list[float | None] = []
    start = 0
    for row in rows:
        index = FPDFText_GetCharIndexFromTextIndex(content, start) if row.strip() else -1
        heights.append(content.get_charbox(index, loose=True)[1] if index >= 0 else None)
        start += len(row.encode("utf-16-le")) // 2 + len("\r\n")
    gaps = [
        0.0 if above is None or below is None else above - below
        for above, below in pairwise(heights)
    ]
    usual = median([gap for gap in gaps if gap > _SAME_LINE] or [0.0])
    found = lines[:1]
    for gap, line in zip(gaps, lines[1:], strict=True):
        if usual and (gap > _LARGE * usual or gap < -usual):  # Up: the next column.
            found.append("")
        found.append(line)
    return found


def _bookmarks(document: Any) -> dict[int, list[tuple[int, str]]]:
    """Return page number (from 0) -> list of (level from 1, title) of the page's bookmarks."""
    import pypdfium2

    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for count, bookmark in enumerate(document.get_toc()):
            target = bookmark.get_dest()
            page = None if target is None else target.get_index()
            if page is not None and (title := one_line(bookmark.get_title())):
                found.setdefault(page, []).append((bookmark.level + 1, title))
            if count >= _MAX_BOOKMARKS:
                break
    except pypdfium2.PdfiumError:
        pass  # Bookmarks are an extra.
    return found


def _with_headings(text: str, titles: Sequence[tuple[int, str]]) -> str:
    """Return the text of a page, in which the lines that equal a title are headings.

    titles: (level from 1, title) of each bookmark on the page.
    """
    wanted = {_normal(title): level for level, title in titles}
    wanted.pop("", None)
    lines = text.split("\n")
    return "\n".join(_lines(lines, wanted)).strip() if wanted else paragraph(text)


def _lines(lines: Sequence[str], wanted: dict[str, int]) -> Iterator[str]:
    number = 0
    while number < len(lines):
        for count in (1, 2):  # A long title takes two lines.
            joined = " ".join(lines[number : number + count])
            if (level := wanted.pop(_normal(joined), None)) is not None:
                yield f"\n{heading(level, joined)}\n"
                number += count
                break
        else:
            yield paragraph(lines[number])
            number += 1


def _normal(title: str) -> str:
    """Return a title without number, blanks and punctuation, in lower case."""
    return "".join(_WORD.findall(_NUMBERED.sub("", title))).casefold()


def pdf_date(text: str) -> str:
    """Return a date of a PDF file, such as `D:20240131120000Z`, in ISO 8601; "" if invalid."""
    match = _DATE.match(text.strip())
    if match is None:
        return ""
    year, month, day, hour, minute, second, zone = match.groups()
    date = "-".join(filter(None, (year, month, day)))
    if not (month and day and hour):
        return date
    offset = "" if not zone else "Z" if zone == "Z" else f"{zone[:3]}:{zone[-2:]}"
    return f"{date}T{hour}:{minute}:{second or '00'}{offset}"
