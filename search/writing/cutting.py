"""Cuts documents into passages, and returns the texts that encoders read for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import ref

from ...core import Document, InvalidInputError, Passage
from ...core.types import MOST_PASSAGES
from ...encoders import PassageConfig, TokenReader, split_by_tokens, split_passages
from ...encoders.passages.preface import preface
from ...index import CollectionConfig, EncodedDocument
from ...sources.structure import Markup, Outline, markup, outline
from ..encoding.brought import BroughtVectors, is_several
from ..encoding.leg_encoders import LegEncoders
from ..recent import Recent, digest

_Key = tuple[ref[LegEncoders], PassageConfig, Markup, str, bytes]
"""All that decides how a text is cut. The last one is the digest of the text."""

_CHECKED = Recent[_Key, Sequence[Passage]](100_000, lambda passages: 10 + len(passages))
"""The passages of long documents that were checked and are not written yet, about 10 MB."""


@dataclass(frozen=True, slots=True)
class CutDocument:
    """A document with its passages.

    outline: outline of the text, if the configuration of the passages uses it.
    """

    stored: EncodedDocument
    outline: Outline | None = None


def cut_documents(
    documents: Sequence[Document], config: CollectionConfig, encoders: LegEncoders
) -> list[CutDocument]:
    """Cut documents into passages. Return each document with its passages.

    Raises InvalidInputError for a document with too many passages; the error names the document.
    """
    passages = config.passages
    readers = token_readers(encoders) if passages.unit == "tokens" else []
    cut = []
    brought = BroughtVectors(config, encoders)
    for document in documents:
        found = None
        if passages.structure or passages.headings:
            found = outline(document.text, markup(document.metadata))
        spans = document.passages
        if not spans and not brought.covers(document):
            checked = _CHECKED.pop(_key(document, config, encoders)) if _is_long(document) else None
            spans = _split(document, config, readers, found) if checked is None else checked
        cut.append(CutDocument(EncodedDocument(document, spans), found))
    return cut


def _split(
    document: Document,
    config: CollectionConfig,
    readers: Sequence[TokenReader],
    found: Outline | None,
) -> list[Passage]:
    text, title, passages = document.text, document.title, config.passages
    try:
        if passages.unit == "tokens":
            return split_by_tokens(text, passages, readers, title=title, structure=found)
        return split_passages(text, passages, found)
    except InvalidInputError as error:
        message = f"document {document.id!r}: {error.message}"
        raise InvalidInputError(message, field=error.field) from None


def token_readers(encoders: LegEncoders) -> list[TokenReader]:
    """Return the token counter of each encoder that reads a limited number of tokens."""
    found = (getattr(encoders[names[0]], "reader", None) for names in encoders.groups().values())
    return [reader for reader in found if reader is not None]


def check_document(document: Document, config: CollectionConfig, encoders: LegEncoders) -> None:
    """Raise InvalidInputError, which names the document, if the document cannot be written.

    Such a document has vectors that its legs do not accept, or too many passages. To count the
    passages, a text is cut only if it has more characters than the maximum number of passages.
    These passages are cached, so that writing the document does not cut it again.
    """
    brought = BroughtVectors(config, encoders)
    try:
        brought.check(document)
    except InvalidInputError as error:
        message = f"document {document.id!r}: {error.message}"
        raise InvalidInputError(message, field=error.field) from None
    several = any(is_several(vector) for vector in document.vectors.values())
    if _is_long(document) or several:
        cut = cut_documents([document], config, encoders)[0].stored
        for leg in document.vectors:
            brought.of_documents(leg, [cut])
        if _is_long(document) and not document.passages:
            _CHECKED.put(_key(document, config, encoders), cut.passages)


def _is_long(document: Document) -> bool:
    """Return True if the document may have too many passages."""
    return len(document.text) > MOST_PASSAGES


def _key(document: Document, config: CollectionConfig, encoders: LegEncoders) -> _Key:
    written = markup(document.metadata)
    return ref(encoders), config.passages, written, document.title, digest(document.text)


def passage_texts(item: EncodedDocument, headings: Outline | None = None) -> list[str]:
    """Return the text that encoders read for each passage: the title, a space and the passage.

    item:     the document with its passages.
    headings: outline of the text. If given, the headings above a passage stand between the title
              and the passage; see `preface`.
    """
    text = item.document.text
    above = preface(item.document.title, headings)
    spans = [(p.start, p.end) for p in item.passages] or [(0, len(text))]
    return [above.read(text, start, end) for start, end in spans]
