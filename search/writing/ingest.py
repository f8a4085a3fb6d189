"""Cuts documents into passages and encodes the passages for every leg."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ...core import Document, InvalidInputError, Representation, Usage, add_usages
from ...encoders import (
    Encoder,
    EncoderConfig,
    MultilingualEncoder,
    TokenReader,
    split_by_tokens,
    split_passages,
)
from ...encoders.passages.passages import MOST_PASSAGES
from ...index import CollectionConfig, EncodedDocument
from ...sources import checked_documents
from ..encoding.leg_encoders import LegEncoders

BATCH_DOCUMENTS = 512
BATCH_CHARACTERS = 4_000_000


class Advance(Protocol):
    """A function that is called with the progress of the encoders within a batch of texts."""

    def __call__(self, encoder: EncoderConfig, n: int, *, of: int) -> None:
        """Report that an encoder has encoded `n` more texts of the batch, which has `of` texts."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Documents with the representations of all their passages.

    legs:      leg -> representation, one row for each passage.
    truncated: leg -> number of passages that its encoder cut.
    usage:     usage of language models; None if no leg uses one.
    """

    documents: Sequence[EncodedDocument]
    legs: Mapping[str, Representation]
    truncated: Mapping[str, int]
    usage: Usage | None

    @property
    def passages(self) -> int:
        return sum(item.count for item in self.documents)


def batches(
    documents: Iterable[Document | Mapping[str, object]],
    *,
    max_documents: Callable[[], int],
    characters: int = BATCH_CHARACTERS,
) -> Iterator[list[Document]]:
    """Yield batches of validated documents.

    max_documents: function that returns the maximum number of documents in the next batch.
    characters:    number of characters (text, title and metadata as JSON) that ends a batch.

    Raises InvalidInputError for an invalid document; its `field` names the field of the document.
    """
    batch: list[Document] = []
    size = 0
    limit = max_documents()
    for document in checked_documents(documents):
        batch.append(document)
        size += len(document.text) + len(document.title)
        if document.metadata:
            size += len(json.dumps(document.metadata, ensure_ascii=False))
        if len(batch) >= limit or size >= characters:
            yield batch
            batch, size, limit = [], 0, max_documents()
    if batch:
        yield batch


def encode(
    documents: Sequence[Document],
    config: CollectionConfig,
    encoders: LegEncoders,
    *,
    advance: Advance | None = None,
) -> EncodedBatch:
    """Cut documents into passages and encode them for every leg.

    advance: function that is called with the progress of each encoder.
    """
    cut = cut_documents(documents, config, encoders)
    texts = [text for item in cut for text in passage_texts(item)]
    legs: dict[str, Representation] = {}
    truncated: dict[str, int] = {}
    usage: Usage | None = None
    for key, names in encoders.groups().items():
        report = None if advance is None else partial(advance, key, of=len(texts))
        found = _encoded(encoders[names[0]], cut, texts, report)
        usage = add_usages(usage, found.usage)
        lost = 0 if found.truncated is None else int(found.truncated.sum())
        for name in names:
            legs[name] = found
            if lost:
                truncated[name] = lost
    return EncodedBatch(cut, legs, truncated, usage)


def _encoded(
    encoder: Encoder,
    cut: Sequence[EncodedDocument],
    texts: Sequence[str],
    advance: Callable[[int], None] | None,
) -> Representation:
    """Encode the passages of documents. An encoder of several languages reads each in its own.

    texts: the texts of all passages, in order.
    """
    if not isinstance(encoder, MultilingualEncoder):
        return encoder.encode(texts, role="document", advance=advance)
    languages = [
        own for item in cut for own in [(encoder.document_language(item.document),)] * item.count
    ]
    return encoder.encode(texts, role="document", advance=advance, languages=languages)


def cut_documents(
    documents: Sequence[Document], config: CollectionConfig, encoders: LegEncoders
) -> list[EncodedDocument]:
    """Cut documents into passages. Return each document with its passages.

    Raises InvalidInputError for a document with too many passages; the error names the document.
    """
    readers: list[TokenReader] = []
    by_tokens = config.passages.unit == "tokens"
    if by_tokens:
        for names in encoders.groups().values():
            reader = getattr(encoders[names[0]], "reader", None)
            if reader is not None:
                readers.append(reader)
    cut = []
    for document in documents:
        try:
            if by_tokens:
                passages = split_by_tokens(
                    document.text, config.passages, readers, title=document.title
                )
            else:
                passages = split_passages(document.text, config.passages)
        except InvalidInputError as error:
            raise InvalidInputError(
                f"document {document.id!r}: {error.message}", field=error.field
            ) from None
        cut.append(EncodedDocument(document, passages))
    return cut


def check_passages(document: Document, config: CollectionConfig, encoders: LegEncoders) -> None:
    """Raise InvalidInputError if a document would be cut into too many passages.

    A text with fewer characters than the maximum number of passages need not be cut for this.
    """
    if len(document.text) > MOST_PASSAGES:
        cut_documents([document], config, encoders)


def passage_texts(item: EncodedDocument) -> list[str]:
    """Return the text that encoders read for each passage: the title, a space and the passage."""
    document = item.document
    pieces = [document.text[p.start : p.end] for p in item.passages] or [document.text]
    return [f"{document.title} {piece}".strip() for piece in pieces]
