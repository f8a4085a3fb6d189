"""Converts between documents of LangChain and of Twindex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from ...core.errors import InvalidInputError, shown
from ...core.types import Document as StoredDocument
from ...core.types import Hit
from .. import contents
from ..contents import Content


def of_hit(hit: Hit, content: Content) -> Document:
    """Return a hit as a document of LangChain, with details of the hit in the metadata."""
    return Document(
        contents.text(hit, content), id=hit.id, metadata=contents.described(hit, content)
    )


def of_stored(document: StoredDocument) -> Document:
    """Return a stored document as a document of LangChain."""
    return Document(document.text, id=document.id, metadata=contents.metadata(document))


def to_fields(
    documents: Sequence[Document],
    ids: Sequence[str],
    vectors: Sequence[Any] | None,
    leg: str | None,
) -> list[dict[str, Any]]:
    """Return the fields of documents to write.

    vectors: a vector for each document, for the leg `leg`. None: no vectors.
    """
    found = []
    for position, (document, id_) in enumerate(zip(documents, ids, strict=True)):
        if not isinstance(document, Document):
            raise InvalidInputError(
                f"must be a Document of LangChain, got {shown(document)}",
                field=f"documents[{position}]",
            )
        own = {leg: vectors[position]} if vectors is not None and leg is not None else None
        found.append(contents.fields(id_, document.page_content, document.metadata, own))
    return found
