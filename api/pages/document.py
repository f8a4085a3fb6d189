"""The page of one document."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from ...core import Document
from . import highlight
from .conditions import as_text
from .highlight import Tokenize

SHOWN = 200_000
"""Maximum number of characters that are shown of a text, around the passage."""
_SOURCES = ("url", "source_url", "source", "link", "href", "uri", "homepage")
"""Metadata fields that usually contain the address of the source, the most reliable first."""


def address(collection: str, document: str, query: str, passage: Any) -> str:
    """Return the address of a document's page, relative to the search page.

    document: id. query: words to mark in the document. passage: Passage to mark, or None.
    """
    fields = {"collection": collection, "id": document, "q": query}
    if passage is not None:
        fields |= {"start": str(passage.start), "end": str(passage.end)}
    return f"document?{urlencode(fields)}#passage"


def raw_address(collection: str, document: str) -> str:
    """Return the REST address of a document, relative to the pages. document: id."""
    return f"v1/collections/{quote(collection, safe='')}/documents/{quote(document, safe='')}"


def web_address(value: object) -> str | None:
    """Return the value if it is an absolute http or https address, else None.

    So it returns None for addresses that run scripts, such as `javascript:...`.
    """
    if not isinstance(value, str) or not 8 <= len(value) <= 2_000:
        return None
    if not value.isprintable() or any(character.isspace() for character in value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in ("http", "https") and parts.hostname else None


def source(metadata: Mapping[str, Any]) -> str | None:
    """Return the web address of a document's source, from its metadata; None if it has none."""
    by_name = {name.lower(): value for name, value in metadata.items()}
    named = [by_name[name] for name in _SOURCES if name in by_name]
    found = (web_address(value) for value in [*named, *metadata.values()])
    return next((address for address in found if address), None)


def shown(
    document: Document, span: tuple[int, int] | None, terms: Set[str], tokenize: Tokenize
) -> dict[str, Any]:
    """Return the values that the page of a document shows, with query words marked.

    The text has three parts: `before`, `passage` and `after`. Of a very long text, `cut_before`
    characters at the start and `cut_after` at the end are not shown. span: start and end of the
    passage, in characters; None: no passage. terms: terms to mark.
    """
    text = document.text
    start, end = span if span is not None else (0, 0)
    start = min(max(start, 0), len(text))
    end = min(max(end, start), len(text), start + SHOWN)
    low = max(0, start - (SHOWN - (end - start)) // 2)
    high = min(len(text), low + SHOWN)
    marks = [
        highlight.fragments(text[a:b], terms, tokenize)
        for a, b in ((low, start), (start, end), (end, high))
    ]
    return {
        "id": document.id,
        "title": highlight.fragments(document.title, terms, tokenize),
        "before": marks[0],
        "passage": marks[1],
        "after": marks[2],
        "start": start,
        "end": end,
        "length": len(text),
        "cut_before": low,
        "cut_after": len(text) - high,
        "source": source(document.metadata),
        "metadata": [
            {"name": name, "text": as_text(value), "link": web_address(value)}
            for name, value in document.metadata.items()
        ],
    }
