"""Documents to encoded passages: cut, encode for every leg, count what was not read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ...core import Document, InvalidInputError, Representation, Usage, add_usages
from ...encoders import EncoderConfig, TokenReader, split_by_tokens, split_passages
from ...encoders.passages.passages import MOST_PASSAGES
from ...index import CollectionConfig, EncodedDocument
from ...sources import checked_documents
from ..encoding.leg_encoders import LegEncoders

BATCH_DOCUMENTS = 512
BATCH_CHARACTERS = 4_000_000


class Advance(Protocol):
    """Told that an encoder has read `n` more of `of` texts."""

    def __call__(self, encoder: EncoderConfig, n: int, *, of: int) -> None: ...


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Documents with the representations of all their passages, by leg.

    truncated: leg -> passages whose end its encoder did not read. usage: of language models.
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
    most: Callable[[], int],
    characters: int = BATCH_CHARACTERS,
) -> Iterator[list[Document]]:
    """Documents in pieces of at most `most()` and of about `characters`, all checked.

    `most` is asked before each piece. Text, title and the JSON of the metadata count. Raises
    InvalidInputError, whose `field` names the offending field of a document.
    """
    batch: list[Document] = []
    size = 0
    limit = most()
    for document in checked_documents(documents):
        batch.append(document)
        size += len(document.text) + len(document.title)
        if document.metadata:
            size += len(json.dumps(document.metadata, ensure_ascii=False))
        if len(batch) >= limit or size >= characters:
            yield batch
            batch, size, limit = [], 0, most()
    if batch:
        yield batch


def encode(
    documents: Sequence[Document],
    config: CollectionConfig,
    encoders: LegEncoders,
    *,
    advance: Advance | None = None,
) -> EncodedBatch:
    """Cut and encode. `advance` is told what each encoder has read."""
    cut = cut_documents(documents, config, encoders)
    texts = [text for item in cut for text in passage_texts(item)]
    legs: dict[str, Representation] = {}
    truncated: dict[str, int] = {}
    usage: Usage | None = None
    for key, names in encoders.groups().items():
        told = None if advance is None else partial(advance, key, of=len(texts))
        found = encoders[names[0]].encode(texts, role="document", advance=told)
        usage = add_usages(usage, found.usage)
        lost = 0 if found.truncated is None else int(found.truncated.sum())
        for name in names:
            legs[name] = found
            if lost:
                truncated[name] = lost
    return EncodedBatch(cut, legs, truncated, usage)


def cut_documents(
    documents: Sequence[Document], config: CollectionConfig, encoders: LegEncoders
) -> list[EncodedDocument]:
    """Documents with their passages. Raises InvalidInputError for too many of one document."""
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
    """Raise InvalidInputError for a document of too many passages. Only long texts are cut."""
    if len(document.text) > MOST_PASSAGES:
        cut_documents([document], config, encoders)


def passage_texts(item: EncodedDocument) -> list[str]:
    """What the encoders read of each passage: the document's title before it."""
    document = item.document
    pieces = [document.text[p.start : p.end] for p in item.passages] or [document.text]
    return [f"{document.title} {piece}".strip() for piece in pieces]
