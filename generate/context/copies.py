"""Finds passages that repeat another passage almost word by word.

`Copies` compares a text with many others at once: it looks up each of the text's shingles, as a
64-bit hash, in an index of the shingles of the others.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import islice

from ...ask import Memory, digest

SHINGLE = 4
"""Number of consecutive words that are compared as one."""

ALIKE = 0.8
"""Minimum share of a passage's shingles that another passage contains, for it to be a copy."""

REMEMBERED = 10_000
"""Maximum number of texts whose shingles are remembered, in about 1 kB each."""

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
    some = islice(one, _some(len(one)))
    return bool(one) and not other.isdisjoint(some) and len(one & other) >= ALIKE * len(one)


def _some(count: int) -> int:
    """Return how many of a text's `count` shingles to look up first.

    If a text contains none of these shingles, it contains less than the share `ALIKE` of all. The
    other shingles then need not be looked up.
    """
    return count - int(ALIKE * count) + 1


_known: Memory[array[int]] = Memory(REMEMBERED)


def hashes(text: str) -> array[int]:
    """Return the hash of each of the `shingles` of a text. Equal texts have equal hashes.

    The hashes of a text differ between processes.
    """
    key = digest(text)
    found = _known.get(key)
    if found is None:
        found = array("q", map(hash, shingles(text)))
        _known.put(key, found)
    return found


class Copies:
    """Groups of texts. Finds the groups that contain nearly all shingles of a text."""

    def __init__(self) -> None:
        self._groups: dict[int, tuple[int, ...]] = {}  # Hash of a shingle -> groups.
        self._joined: dict[int, int] = {}  # Group -> group that it became a part of.

    def add(self, own: Sequence[int], group: int) -> None:
        """Add a text to a group. own: its `hashes`."""
        groups = self._groups
        new: dict[int, tuple[int, ...]] = dict.fromkeys(own, (group,))
        if not groups.keys().isdisjoint(new):
            new |= {one: (*groups[one], group) for one in new if one in groups}
        groups.update(new)

    def join(self, group: int, other: int) -> None:
        """Make `other` a part of `group`."""
        self._joined[other] = group

    def of(self, own: Sequence[int]) -> set[int]:
        """Return the groups that contain at least the share `ALIKE` of a text's shingles.

        own: `hashes` of the text.
        """
        groups = self._groups
        if groups.keys().isdisjoint(own[: _some(len(own))]):
            return set()
        found = [known for one in own if (known := groups.get(one)) is not None]
        shared = Counter(group for known in found for group in set(map(self._whole, known)))
        return {group for group, count in shared.items() if count >= ALIKE * len(own)}

    def _whole(self, group: int) -> int:
        while group in self._joined:
            group = self._joined[group]
        return group
