"""Encodes batches of documents for every leg."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from ...core import Document, InvalidInputError, Representation, Usage, add_usages
from ...encoders import Encoder, EncoderConfig, Languages, MultilingualEncoder
from ...index import CollectionConfig, EncodedDocument
from ...sources import CheckedDocuments, checked_documents
from ...sources.vectors import vectors_size
from ..encoding.brought import BroughtVectors
from ..encoding.leg_encoders import LegEncoders
from .cutting import check_document, cut_documents, passage_texts
from .rows import merged

BATCH_DOCUMENTS = 512
BATCH_CHARACTERS = 4_000_000
_CUT = 16
"""Number of documents that are cut into passages between two pauses."""


class Advance(Protocol):
    """A function that encoders call to report their progress within a batch of texts."""

    def __call__(self, encoder: EncoderConfig, n: int, *, of: int) -> None:
        """Report that an encoder has encoded `n` more texts of the batch, which has `of` texts."""


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """Documents with the representations of all their passages.

    legs:      leg -> representation, one row for each passage.
    truncated: leg -> number of passages that were too long for the leg's encoder.
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
    characters:    a batch ends when it has this number of characters (text, title and metadata as
                   JSON) or more. 16 bytes of a vector count as one character.

    Raises InvalidInputError for an invalid document; the error names the document's field.
    """
    batch: list[Document] = []
    size = 0
    limit = max_documents()
    for document in checked_documents(documents):
        batch.append(document)
        size += len(document.text) + len(document.title)
        if document.vectors:
            size += vectors_size(document.vectors) // 16
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
    pause: Callable[[], None] = lambda: None,
) -> EncodedBatch:
    """Cut documents into passages, and encode the passages for every leg.

    If a document has its own vectors for a leg, these are used instead of the leg's encoder.

    advance: function that is called with the progress of each encoder.
    pause:   function that is called between pieces of the work, in which the caller may wait.
    """
    brought = BroughtVectors(config, encoders)
    for document in documents:
        _check_legs(document, brought)
    outlined = []
    for start in range(0, len(documents), _CUT):
        outlined += cut_documents(documents[start : start + _CUT], config, encoders)
        pause()
    cut = [one.stored for one in outlined]
    read = [
        # No leg reads the texts of a document that has its own vectors for every leg.
        passage_texts(one.stored, one.outline if config.passages.headings else None)
        if len(one.stored.document.vectors) < len(config.legs)
        else []
        for one in outlined
    ]
    legs: dict[str, Representation] = {}
    truncated: dict[str, int] = {}
    usage: Usage | None = None
    for key, names in encoders.groups().items():
        # Legs that share an encoder may encode different documents; each text is encoded once.
        own = {name: [name in item.document.vectors for item in cut] for name in names}
        chosen = [i for i in range(len(cut)) if not all(own[name][i] for name in names)]
        found = None
        if chosen:
            items = [cut[i] for i in chosen]
            texts = [text for i in chosen for text in read[i]]
            report = None if advance is None else partial(advance, key, of=len(texts))
            found = _encoded(encoders[names[0]], items, texts, report)
            usage = add_usages(usage, found.usage)
        for name in names:
            legs[name] = _leg_rows(name, cut, own[name], chosen, found, brought)
            cut_off = legs[name].truncated
            if cut_off is not None and cut_off.any():
                truncated[name] = int(cut_off.sum())
    return EncodedBatch(cut, legs, truncated, usage)


def _leg_rows(
    leg: str,
    cut: Sequence[EncodedDocument],
    own: Sequence[bool],
    chosen: Sequence[int],
    encoded: Representation | None,
    brought: BroughtVectors,
) -> Representation:
    """Return the vectors of a leg for all passages, from the encoder and from the documents.

    cut:     all documents of the batch, with their passages.
    own:     for each document, True if it has its own vectors for the leg.
    chosen:  positions of the documents whose passages are in `encoded`.
    encoded: the encoder's output; None if it encoded no document.
    """
    if encoded is not None and not any(own):
        return encoded
    given = brought.of_documents(
        leg, [item for item, is_own in zip(cut, own, strict=True) if is_own]
    )
    if encoded is None or all(own):
        return given
    bounds = np.cumsum([0, *(cut[i].count for i in chosen)])
    kept = [
        np.arange(start, stop)
        for i, start, stop in zip(chosen, bounds[:-1], bounds[1:], strict=True)
        if not own[i]
    ]
    counts = [item.count for item in cut]
    order = np.argsort(np.repeat([int(one) for one in own], counts), kind="stable")
    return merged(encoded, np.concatenate(kept), given, np.argsort(order, kind="stable"))


def _check_legs(document: Document, brought: BroughtVectors) -> None:
    try:
        brought.check_legs(document)
    except InvalidInputError as error:
        message = f"document {document.id!r}: {error.message}"
        raise InvalidInputError(message, field=error.field) from None


def _encoded(
    encoder: Encoder,
    cut: Sequence[EncodedDocument],
    texts: Sequence[str],
    advance: Callable[[int], None] | None,
) -> Representation:
    """Encode the passages of documents.

    A MultilingualEncoder analyses each passage in the languages of its document.

    texts: the texts of all passages, in the order of the documents. Each begins with the title of
        its document.
    """
    if not isinstance(encoder, MultilingualEncoder):
        return encoder.encode(texts, role="document", advance=advance)
    languages: list[Languages] = []
    titles: list[str] = []
    for item in cut:
        languages += [encoder.document_languages(item.document)] * item.count
        titles += [item.document.title] * item.count
    return encoder.encode(
        texts, role="document", advance=advance, languages=languages, titles=titles
    )


Refused = Callable[[Document, InvalidInputError], None]
"""Function called with a document that cannot be written, and the error."""


def writable(
    documents: Iterable[Document | Mapping[str, object]],
    config: CollectionConfig,
    encoders: LegEncoders,
    refused: Refused | None,
) -> CheckedDocuments:
    """Return an iterator over the documents that can be written.

    refused: function called with each document for which `check_document` raises an error. None:
             the iterator returns all documents, and writing an invalid one raises the error.
    """
    found = checked_documents(documents)
    if refused is None:
        return found

    def accepted() -> Iterator[Document]:
        for document in found:
            try:
                check_document(document, config, encoders)
            except InvalidInputError as error:
                refused(document, error)
            else:
                yield document

    return CheckedDocuments(accepted())
