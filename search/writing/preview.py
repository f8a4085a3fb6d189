"""Shows how documents would be cut into passages, without encoding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...core import Document
from ...encoders import EncoderLoader, load_encoder
from ...index import CollectionConfig
from ...sources import checked_documents
from ...sources.structure import first_word, markup, outline
from ..encoding.leg_encoders import LegEncoders
from .cutting import cut_documents, passage_texts, token_readers


@dataclass(frozen=True, slots=True)
class CutPassage:
    """A passage that a collection would store.

    start, end: character offsets in the document's text; `end` is exclusive.
    headings:   titles of the headings above the passage, from the highest level down.
    page:       page on which the passage begins, from 1; None if the text has no pages.
    text:       text that encoders read: the title, the headings if configured, and the passage.
    tokens:     number of tokens that the encoder with the lowest token limit reads: those of
                `text` and of the prompt, and special tokens. None if no encoder has a limit.
    """

    start: int
    end: int
    headings: Sequence[str]
    page: int | None
    text: str
    tokens: int | None


def preview_passages(
    documents: Iterable[Document | Mapping[str, object]],
    config: CollectionConfig | None = None,
    *,
    encoders: EncoderLoader = load_encoder,
) -> Iterator[tuple[Document, list[CutPassage]]]:
    """Yield each document with the passages that a collection of this configuration would store.

    A document that is not cut has one passage. Raises InvalidInputError for an invalid document,
    and for a document with too many passages.

        for document, passages in preview_passages([{"id": "1", "text": text}]):
            print(document.id, len(passages))
    """
    config = config or CollectionConfig()
    legs = LegEncoders(config, encoders)
    reader = min(token_readers(legs), key=lambda one: one.limit, default=None)
    for document in checked_documents(documents):
        cut = cut_documents([document], config, legs)[0]
        found = cut.outline or outline(document.text, markup(document.metadata))
        texts = passage_texts(cut.stored, found if config.passages.headings else None)
        lengths = [None] * len(texts) if reader is None else reader.lengths(texts)
        spans = [(one.start, one.start, one.end) for one in cut.stored.passages]
        spans = spans or [(first_word(document.text), 0, len(document.text))]
        yield (
            document,
            [
                CutPassage(start, end, found.path(at), found.page(at), text, tokens)
                for (at, start, end), text, tokens in zip(spans, texts, lengths, strict=True)
            ],
        )
