"""Finds passages that repeat another passage almost word by word."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from itertools import islice

SHINGLE = 4
"""Number of consecutive words that are compared as one."""

ALIKE = 0.8
"""Minimum share of a passage's shingles that another passage contains, for it to be a copy."""

_WORD = re.compile(r"\w+")

Shingles = AbstractSet[tuple[str, ...]]


def shingles(text: str) -> Shingles:
    """Return all runs of `SHINGLE` consecutive words of a text, in lower case.

    A text with fewer words has one run: all of its words.
    """
    words = _WORD.findall(text.lower())
    if len(words) <= SHINGLE:
        return {tuple(words)} if words else set()
    return set(zip(*(words[i:] for i in range(SHINGLE)), strict=False))


def repeats(one: Shingles, other: Shingles) -> bool:
    """Return True if `other` contains at least the share `ALIKE` of the shingles of `one`."""
    # If none of this many shingles is in `other`, the share of the rest is below `ALIKE`.
    some = islice(one, len(one) - int(ALIKE * len(one)) + 1)
    return bool(one) and not other.isdisjoint(some) and len(one & other) >= ALIKE * len(one)
