"""Converts between documents of Haystack and of Twindex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from haystack import Document

from ...core.errors import InvalidInputError, shown
from ...core.types import Document as StoredDocument
from ...core.types import Hit
from .. import contents
from ..contents import Content


class InvalidDocumentsError(InvalidInputError, ValueError):
    """Documents cannot be written."""


def of_hit(hit: Hit, content: Content) -> Document:
    """Return a hit as a document of Haystack, with details of the hit in `meta`."""
    return Document(
        id=hit.id,
        content=contents.text(hit, content),
        meta=contents.described(hit, content),
        score=hit.score,
    )


def of_stored(document: StoredDocument) -> Document:
    """Return a stored document as a document of Haystack, without its embeddings."""
    return Document(id=document.id, content=document.text, meta=contents.metadata(document))


def check(documents: Any) -> None:
    """Raise InvalidDocumentsError unless the value is a list of Haystack documents."""
    if not isinstance(documents, list):
        raise InvalidDocumentsError(
            f"must be a list of documents, got {shown(documents)}", field="documents"
        )
    for position, one in enumerate(documents):
        if not isinstance(one, Document):
            raise InvalidDocumentsError(
                f"must be a Document of Haystack, got {shown(one)}", field=f"documents[{position}]"
            )


def to_fields(
    documents: Sequence[Document], dense: str | None, sparse: str | None
) -> list[dict[str, Any]]:
    """Return the fields of documents to write.

    dense, sparse: legs that store `embedding` and `sparse_embedding`.

    Raises InvalidDocumentsError for a document without text, and for a field that is not stored.
    """
    return [
        _fields(one, f"documents[{position}]", dense, sparse)
        for position, one in enumerate(documents)
    ]


def _fields(document: Document, place: str, dense: str | None, sparse: str | None) -> Any:
    if document.blob is not None:
        raise InvalidDocumentsError("only texts are stored; remove it", field=f"{place}.blob")
    if document.content is None:
        raise InvalidDocumentsError("a document must have a text", field=f"{place}.content")
    vectors: dict[str, Any] = {}
    if document.embedding is not None:
        vectors[_leg(dense, place, "embedding")] = document.embedding
    if (weights := document.sparse_embedding) is not None:
        value = {"indices": weights.indices, "values": weights.values}
        vectors[_leg(sparse, place, "sparse_embedding")] = value
    return contents.fields(document.id, document.content, document.meta, vectors)


def _leg(leg: str | None, place: str, field: str) -> str:
    if leg is None:
        raise InvalidDocumentsError(
            f"the document store has no leg for it; set `{field}_leg` of the document store, or "
            "write documents without it",
            field=f"{place}.{field}",
        )
    return leg
