"""Reads the best passages of a list of documents, as the encoders read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core import Document, Passage
from ...generate.context.copies import Shingles, repeats, shingles
from ...index import EncodedDocument, Handles, View
from ..writing.cutting import passage_texts
from .places import document_outline
from .results import Leg, best_passage, leg_positions

COMPARED = 4_000
"""Maximum number of characters of a passage in which near-copies are compared."""


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """The best passage of a document that was found.

    handle: handle of the passage.
    span:   the passage in the document's text; None: the whole document is one passage.
    text:   what encoders read: the title, perhaps headings, and the passage.
    """

    handle: int
    document: Document
    span: Passage | None
    text: str


def read_passages(view: View, legs: Sequence[Leg], numbers: Handles) -> list[FoundPassage]:
    """Return the best passage of each document, from the leg that ranks the document highest.

    legs:    results of the legs.
    numbers: handles of the documents, best first.
    """
    documents = view.documents(numbers.tolist())
    positions = leg_positions(legs, numbers)
    handles = np.array([best_passage(one) for one in positions], dtype=np.int64)
    found = []
    for number, handle, span in zip(
        numbers.tolist(), handles.tolist(), view.passages(handles), strict=True
    ):
        document = documents[number]
        item = EncodedDocument(document, () if span is None else (span,))
        headings = document_outline(document) if view.config.passages.headings else None
        (text,) = passage_texts(item, headings)
        found.append(FoundPassage(handle, document, span, text))
    return found


def without_copies(passages: Sequence[FoundPassage], most: int) -> list[int]:
    """Return the positions of the first `most` passages that do not repeat an earlier one."""
    kept: list[int] = []
    known: list[Shingles] = []
    for position, passage in enumerate(passages):
        own = shingles(passage.text[:COMPARED])
        if not any(repeats(own, other) for other in known):
            kept.append(position)
            known.append(own)
        if len(kept) == most:
            break
    return kept
