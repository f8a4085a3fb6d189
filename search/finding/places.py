"""The place of a passage in its document: the headings above it, and its page."""

from __future__ import annotations

from ...core import Document, Passage
from ...sources.structure import Markup, Outline, first_word, markup, outline
from ..recent import Recent, digest

LIMIT = 100_000
"""Maximum number of headings and pages of the outlines that a process remembers, about 25 MB."""
_LONG = 20_000
"""Number of characters from which the outline of a text is remembered. That of a shorter text takes
a fraction of a millisecond."""

_OUTLINES = Recent[tuple[bytes, Markup], Outline](
    LIMIT, lambda found: 10 + len(found.headings) + len(found.pages) + len(found.code)
)


def place(document: Document, passage: Passage | None) -> tuple[tuple[str, ...], int | None]:
    """Return the headings above a passage, from the highest level down, and its page.

    passage: None for a document that is one passage. Its place is the place of the first word of
             the text.
    """
    if not document.text:
        return (), None
    if passage is None:
        return _beginning(document)
    found = document_outline(document)
    return found.path(passage.start), found.page(passage.start)


def _beginning(document: Document) -> tuple[tuple[str, ...], int | None]:
    """Return the headings and the page at the first word of a document.

    Only the first two lines with text are read: no heading after them is above the first word.
    """
    text = document.text
    start = first_word(text)
    line = text.find("\n", start)
    end = len(text) if line < 0 else text.find("\n", line + 1) % (len(text) + 1)
    page = 1 + text.count("\f", 0, start) if "\f" in text else None
    return outline(text[:end], markup(document.metadata)).path(start), page


def document_outline(document: Document) -> Outline:
    """Return the headings and pages of a document's text. The result for a long text is cached."""
    text, written = document.text, markup(document.metadata)
    if len(text) < _LONG:
        return outline(text, written)
    key = digest(text), written
    found = _OUTLINES.get(key)
    if found is None:
        found = outline(text, written)
        _OUTLINES.put(key, found)
    return found
