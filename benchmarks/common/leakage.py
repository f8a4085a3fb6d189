"""Whether a passage repeats the text that a language model is to predict."""

from __future__ import annotations

import re
from collections.abc import Sequence

RUN = 32
"""Passages that share this many consecutive words with the text are left out."""
GRAM, ALIKE = 13, 0.8
"""So are passages whose runs of GRAM words have a Jaccard similarity of ALIKE with the text's."""

_WORD = re.compile(r"\w+")


def leaks(passage: str, text: str) -> bool:
    """Return True if `passage` shares a long run of words with `text`, or most of its runs."""
    one, other = _WORD.findall(passage.lower()), _WORD.findall(text.lower())
    if grams(one, RUN) & grams(other, RUN):
        return True
    mine, theirs = grams(one, GRAM), grams(other, GRAM)
    either = mine | theirs
    return bool(either) and len(mine & theirs) >= ALIKE * len(either)


def grams(words: Sequence[str], length: int) -> set[tuple[str, ...]]:
    """Return all runs of `length` consecutive words."""
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}
