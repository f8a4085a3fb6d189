"""Results of a completion, in this process or from a service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordCompletion:
    """A text whose last word is completed.

    text:      the given text with the whole word, which is in lower case.
    word:      the word.
    documents: number of documents with the word, and with the words before it if any document has
               them all.
    typos:     number of typos in the given beginning of the word, 0 or 1.
    """

    text: str
    word: str
    documents: int
    typos: int = 0


@dataclass(frozen=True, slots=True)
class TitleCompletion:
    """A document whose title completes the text. id: id of the document."""

    id: str
    title: str


@dataclass(frozen=True, slots=True)
class Completions:
    """The result of `Collection.complete`.

    words:  completions of the last word, best first.
    titles: documents whose titles complete the text, best first.
    """

    words: Sequence[WordCompletion] = ()
    titles: Sequence[TitleCompletion] = ()
