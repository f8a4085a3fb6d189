"""Windows of a document, as the intra-document cascade reads it."""

from __future__ import annotations

from ...core import Passage
from ...encoders.passages.passages import word_spans


def cut(text: str, size: int = 50, overlap: int = 7) -> list[Passage]:
    """Windows of `size` words and up to `overlap` more on each side, in order; at least one.

    Window i has the words from `size * i - overlap` to `size * (i + 1) + overlap` (exclusive), so
    that every word is in the middle of exactly one window, and each word keeps some context. Words
    are those of `encoders.passages`. Places are characters; a text without words is one window.

    Hofstätter et al. (2021) cut word pieces; words are the same for every model that reads them.

    >>> cut("a b c d e", size=2, overlap=1)
    [Passage(start=0, end=5), Passage(start=2, end=9), Passage(start=6, end=9)]
    """
    words = word_spans(text)
    if not words:
        return [Passage(0, len(text))]
    last = len(words) - 1
    return [
        Passage(words[max(0, first - overlap)][0], words[min(last, first + size + overlap - 1)][1])
        for first in range(0, len(words), size)
    ]
