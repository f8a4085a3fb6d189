"""Converts documents and hits to and from the text and metadata that frameworks use.

All three frameworks have an id, a text and metadata, but no title. So a title is the entry `title`
of their metadata. Details of a hit are the entry `twindex`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from ..core.errors import InvalidInputError, shown
from ..core.types import Document, Hit, Passage

Content = Literal["passage", "context", "document"]
"""The text that a retriever returns: the best passage; the passage with its neighbours, for which
the search sets `neighbours`; or the whole document."""

DETAILS = "twindex"
"""Key of the details of a hit in the metadata."""
TITLE = "title"


def check_content(value: object) -> None:
    """Raise InvalidInputError unless the value is a Content."""
    if value not in get_args(Content):
        raise InvalidInputError(
            f"must be one of {', '.join(get_args(Content))}, got {shown(value)}", field="content"
        )


def fields(
    id: str,  # noqa: A002
    text: str,
    metadata: Mapping[str, Any],
    vectors: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields of a document to write.

    A string with at least one character in `metadata["title"]` becomes the document's title. The
    details of a hit, which a retriever added, are left out.
    """
    own = {key: value for key, value in metadata.items() if key != DETAILS}
    found: dict[str, Any] = {"id": id, "text": text, "metadata": own}
    if isinstance(own.get(TITLE), str) and own[TITLE]:
        found[TITLE] = own.pop(TITLE)
    if vectors:
        found["vectors"] = dict(vectors)
    return found


def metadata(document: Document | None) -> dict[str, Any]:
    """Return the metadata of a document, with its title as the entry `title`.

    An entry `title` that the metadata already contains is kept.
    """
    if document is None:
        return {}
    title = {TITLE: document.title} if document.title else {}
    return {**title, **document.metadata}


def span(hit: Hit, content: Content) -> Passage | None:
    """Return the piece of the document that `content` selects. None: the whole document."""
    if content == "document":
        return None
    return (hit.context if content == "context" else None) or hit.passage


def text(hit: Hit, content: Content) -> str:
    """Return the text that `content` selects."""
    piece = span(hit, content)
    return hit.text if piece is None else hit.text[piece.start : piece.end]


def details(hit: Hit, content: Content) -> dict[str, Any]:
    """Return the details of a hit as JSON values: score, legs, place in the document, reranking.

    `start` and `end` are positions of the text in the document, in code points. An entry is absent
    if it is unknown.
    """
    found: dict[str, Any] = {
        "id": hit.id,
        "score": hit.score,
        "legs": {name: {"rank": leg.rank, "score": leg.score} for name, leg in hit.legs.items()},
    }
    if (piece := span(hit, content)) is not None:
        found |= {"start": piece.start, "end": piece.end}
    if hit.page is not None:
        found["page"] = hit.page
    if hit.headings:
        found["headings"] = list(hit.headings)
    if (rerank := hit.rerank) is not None:
        found["rerank"] = {
            "rank": rerank.rank,
            "previous": rerank.previous,
            "score": rerank.score,
            "judged": rerank.judged,
        }
    return found


def described(hit: Hit, content: Content) -> dict[str, Any]:
    """Return the metadata of a hit's document with the details of the hit."""
    return {**metadata(hit.document), DETAILS: details(hit, content)}
