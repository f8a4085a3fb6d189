"""Shapes of the completion of a text."""

from __future__ import annotations

from .shape import Shape


class WordPlace(Shape):
    """A completion of the last word.

    text:      the given text with the whole word.
    word:      the word, in lower case.
    documents: number of documents with the word, and with the words before it if any document has
               them all.
    typos:     number of typos in the given beginning of the word.
    """

    text: str
    word: str
    documents: int
    typos: int


class TitlePlace(Shape):
    """A document whose title completes the text.

    id:    id of the document.
    title: the whole title.
    """

    id: str
    title: str


class CompleteReply(Shape):
    """Completions of a text.

    request_id: id of the request.
    took_ms:    milliseconds from the arrival of the body to the reply.
    words:      completions of the last word, best first.
    titles:     documents whose titles complete the text, best first.
    """

    request_id: str
    took_ms: float
    words: list[WordPlace]
    titles: list[TitlePlace]
