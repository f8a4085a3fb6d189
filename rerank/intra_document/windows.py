"""Cuts documents into windows for the intra-document cascade."""

from __future__ import annotations

from ...core import Passage
from ...encoders.passages.passages import word_spans


def cut(text: str, size: int = 50, overlap: int = 7) -> list[Passage]:
    """Cut a text into windows of `size` words, with up to `overlap` more words on each side.

    Returns the windows in order, as spans of characters; at least one. A text without words is one
    window.

    Window i contains the words from `size * i - overlap` to `size * (i + 1) + overlap` (exclusive).
    So every word is in the middle part of exactly one window, with some context on both sides.

    Hofstätter et al. (2021) count word pieces. This function counts words, because words do not
    depend on a model; see `encoders.passages`.

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
