"""Correctness of short answers: exact match, token F1, and gold answers found in longer texts.

The normalisation is that of SQuAD (Rajpurkar et al., 2016): lower case; without punctuation,
articles and superfluous white space. There are two differences. All Unicode punctuation is removed,
not only that of ASCII. And nothing is removed if nothing would remain, so that the answers "A" and
"+" equal only themselves.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import cache

from ...encoders.scripts import SPACELESS

_ARTICLES = frozenset(("a", "an", "the"))
_WORD = re.compile(rf"[{SPACELESS}]|[^\W_{SPACELESS}]+")
_MARKER = re.compile(r" ?\[\d{1,9}\]")


def normalize(text: str) -> str:
    """Return a text as exact match and F1 compare it; see the module.

    >>> normalize("The  Indian Ocean!")
    'indian ocean'
    """
    lowered = text.lower()
    words = "".join("" if _is_punctuation(c) else c for c in lowered).split()
    kept = [word for word in words if word not in _ARTICLES]
    return " ".join(kept or words) or " ".join(lowered.split())


def without_markers(text: str) -> str:
    """Return the text of an answer without citation markers such as [1]."""
    return _MARKER.sub("", text)


def exact_match(text: str, answers: Sequence[str]) -> float:
    """Return 1 if a text equals one of the gold answers after normalisation, else 0."""
    own = normalize(text)
    return float(any(own == normalize(answer) for answer in answers))


def token_f1(text: str, answers: Sequence[str]) -> float:
    """Return the best F1 of the tokens of a text and of a gold answer, from 0 to 1.

    Tokens are the words of the normalised texts. A repeated token counts as often as it occurs in
    both texts.
    """
    return max((_f1(normalize(text), normalize(answer)) for answer in answers), default=0.0)


def _f1(one: str, other: str) -> float:
    ours, theirs = one.split(), other.split()
    if not ours or not theirs:
        return float(ours == theirs)
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Return True if a text contains a gold answer as a sequence of adjacent words.

    Case, articles and punctuation are ignored. "art" does not occur in "party". In scripts without
    spaces, each character is a word. An answer without any word, such as "+", is searched as
    characters.
    """
    own = words(text)
    return any(
        _occurs(wanted, own) if (wanted := words(answer)) else answer.strip() in text
        for answer in answers
        if answer.strip()
    )


def first_with_answer(texts: Sequence[str], answers: Sequence[str]) -> int | None:
    """Return the number, from 1, of the first text that contains a gold answer; None if none does.

    See `contains_answer`. If the texts are passages in the order of a search, a number of at most k
    counts as found in top-k accuracy (Karpukhin et al., "Dense passage retrieval for open-domain
    question answering", 2020).
    """
    for number, text in enumerate(texts, 1):
        if contains_answer(text, answers):
            return number
    return None


def words(text: str) -> list[str]:
    """Return the words of a text in lower case, without articles unless nothing else remains."""
    found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return [word for word in found if word not in _ARTICLES] or found


def _occurs(wanted: Sequence[str], own: Sequence[str]) -> bool:
    size = len(wanted)
    return any(list(own[i : i + size]) == list(wanted) for i in range(len(own) - size + 1))


@cache
def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")
