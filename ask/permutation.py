"""An order as a language model writes it, repaired."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BRACKETED = re.compile(r"\[\s*([0-9]+)\s*\]")
_BARE = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Permutation:
    """order: every place from 0 to n - 1 once. missing: places that the answer left out, which
    stand at the end in their order. repeated, unknown: how many numbers were passed over because
    they occurred before or are nobody's."""

    order: Sequence[int]
    missing: Sequence[int] = ()
    repeated: int = 0
    unknown: int = 0

    @property
    def read(self) -> bool:
        """Whether the answer held any number of an item."""
        return len(self.missing) < len(self.order)

    @property
    def repaired(self) -> bool:
        return bool(self.missing or self.repeated or self.unknown)


def permutation(answer: str, count: int, *, cut: bool = False) -> Permutation:
    """The order of `count` items that "[3] > [1] > [2]" says.

    Numbers in brackets count; without two of them, any numbers do. cut: the answer was broken off,
    so that a number at its end may not be whole.
    """
    found = _BRACKETED.findall(answer)
    if len(found) < 2:
        bare = _BARE.findall(answer)
        if cut and bare and answer.endswith(bare[-1]):
            bare.pop()
        found = max(found, bare, key=len)
    order: dict[int, None] = {}
    repeated = unknown = 0
    for digits in found:
        place = int(digits) - 1 if len(digits) < 10 else -1
        if not 0 <= place < count:
            unknown += 1
        elif place in order:
            repeated += 1
        else:
            order[place] = None
    missing = tuple(place for place in range(count) if place not in order)
    return Permutation((*order, *missing), missing, repeated, unknown)
