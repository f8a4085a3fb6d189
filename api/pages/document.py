"""The page of one document."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...core import Document
from . import highlight, markdown
from .conditions import as_text
from .form import Form
from .highlight import Words
from .links import page_address, source, web_address

SHOWN = 200_000
"""Maximum number of characters of a text that the page shows, around the passage."""


def address(form: Form, document: str, passage: Any) -> str:
    """Return the address of a document's page, relative to the search page.

    form:     the search that found the document.
    document: id.
    passage:  Passage to mark, or None.
    """
    fields = {"collection": form.collection, "id": document, "q": form.query}
    if form.language:
        fields["language"] = form.language
    if passage is not None:
        fields |= {"start": str(passage.start), "end": str(passage.end)}
    return f"{page_address(fields)}#passage"


def shown(
    document: Document, span: tuple[int, int] | None, words: Words, title_words: Words
) -> dict[str, Any]:
    """Return the values that the page of a document shows, with query words marked.

    `blocks` are the blocks of the text; a text without Markdown is one block. Each block has up to
    three parts: its fragments before, in and after the passage (`where`). `cut_before` and
    `cut_after` are the numbers of characters that are not shown at the start and end of a very long
    text.

    span:        start and end of the passage, in characters; None: no passage.
    words:       words to mark in the text.
    title_words: words to mark in the title.
    """
    text = document.text
    start, end = span if span is not None else (0, 0)
    start = min(max(start, 0), len(text))
    end = min(max(end, start), len(text), start + SHOWN)
    low = max(0, start - (SHOWN - (end - start)) // 2)
    high = min(len(text), low + SHOWN)
    found, title = [markdown.Block("plain", low, text[low:high])], document.title
    if markdown.is_markdown(document):
        found = [replace(b, start=b.start + low) for b in markdown.blocks(text[low:high])]
        title = markdown.plain(title)
        first = next((i for i, block in enumerate(found) if block.text.strip()), 0)
        if found and low == 0 and found[first].level and found[first].text.strip() == title.strip():
            found = found[first + 1 :]  # The title is the heading of the page.
    places = (("before", low, start), ("passage", start, end), ("after", end, high))
    return {
        "id": document.id,
        "title": highlight.fragments(title, *title_words),
        "blocks": [
            {
                "kind": block.kind,
                "level": block.level,
                "parts": [
                    {
                        "where": where,
                        "fragments": highlight.fragments(block.clipped(a, b).text, *words),
                    }
                    for where, a, b in places
                    if block.clipped(a, b).text
                ],
            }
            for block in found
            if block.text.strip()
        ],
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
