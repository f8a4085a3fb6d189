"""Parses a ranking that a language model wrote, and repairs it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BRACKETED = re.compile(r"\[\s*([0-9]+)\s*\]")
_BARE = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Permutation:
    """A ranking of n items.

    order:    positions of the items from 0 to n - 1, best first, each once.
    missing:  positions that the model's answer omitted, in ascending order. They are at the end of
              `order`.
    repeated: how many numbers of the answer were ignored because they occurred before.
    unknown:  how many numbers of the answer were ignored because no item has this number.
    """

    order: Sequence[int]
    missing: Sequence[int] = ()
    repeated: int = 0
    unknown: int = 0

    @property
    def read(self) -> bool:
        """True if the answer contained the number of at least one item."""
        return len(self.missing) < len(self.order)

    @property
    def repaired(self) -> bool:
        """True if the answer had missing, repeated or unknown numbers."""
        return bool(self.missing or self.repeated or self.unknown)


def permutation(answer: str, count: int, *, cut: bool = False) -> Permutation:
    """Return the ranking of `count` items in an answer such as "[3] > [1] > [2]".

    The answer refers to the items by the numbers 1 to `count`. Only numbers in brackets are read;
    if there are fewer than two of these, all numbers are read.

    cut: True if the answer was cut off, so that a number at its end may be incomplete.
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
        position = int(digits) - 1 if len(digits) < 10 else -1
        if not 0 <= position < count:
            unknown += 1
        elif position in order:
            repeated += 1
        else:
            order[position] = None
    missing = tuple(position for position in range(count) if position not in order)
    return Permutation((*order, *missing), missing, repeated, unknown)
