"""Finds the terms of a dictionary that a misspelled word may stand for.

The cost of a term is the smaller of two numbers: the edit distance of the term and the word's own
term (its stem), and the smallest edit distance of the term and a prefix of the word. The latter
finds the stem "relat" for "relativty", whose own stem is "relativti". An edit inserts, deletes or
replaces a byte, or exchanges two adjacent ones (optimal string alignment). A term must begin with
the same byte as the word, and be at least half as long. Every term of the dictionary is compared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interpreting import interpreted_first

FAR = 99
"""Cost of a term that is too different."""

LONGEST = 64
"""Maximum number of bytes of a word."""

SPARE = 3
"""Number of bytes by which a term may be longer than the word."""

Bytes = NDArray[np.uint8]


def near_terms(
    offsets: NDArray[np.int64], terms: Bytes, word: bytes, stem: bytes, most: int
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the numbers of the terms whose cost is at most `most`, ascending, and their costs.

    offsets: byte offset of each term, int64 [terms + 1]. terms: all terms as UTF-8.
    word:    the word as UTF-8, folded as terms are. stem: its own term.

    Returns nothing for an empty word, and for one of more than LONGEST bytes.
    """
    count = len(offsets) - 1
    if not 0 < len(word) <= LONGEST or not 0 < len(stem) <= LONGEST or count < 1:
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    costs = np.full(count, FAR, dtype=np.uint8)
    least = (len(word) + 1) // 2
    for text, prefix in ((stem, False), (word, True)):
        wanted = np.frombuffer(text, dtype=np.uint8)
        _compare(offsets, terms, wanted, prefix, most, least, len(word) + SPARE, costs)
    numbers = np.flatnonzero(costs <= most)
    return numbers, costs[numbers]


@interpreted_first(lambda offsets, *rest: 60 * offsets.size)
def _compare(
    offsets: Any,
    terms: Any,
    wanted: Any,
    prefix: bool,
    most: int,
    least: int,
    longest: int,
    costs: Any,
) -> None:
    """Lower costs[i] to the distance of term i and `wanted`, if that is at most `most`.

    prefix: compare with every prefix of `wanted`, and take the smallest distance.
    least, longest: bounds of the number of bytes of a term.
    """
    size = wanted.size
    rows = np.empty((3, size + 1), dtype=np.int64)
    for term in range(offsets.size - 1):
        start, stop = offsets[term], offsets[term + 1]
        length = stop - start
        if length < least or length > longest or terms[start] != wanted[0]:
            continue
        if length > size + most or (not prefix and size > length + most):
            continue
        for j in range(size + 1):
            rows[0, j] = j
        for i in range(1, length + 1):
            now, above, second = i % 3, (i - 1) % 3, (i - 2) % 3
            letter = terms[start + i - 1]
            rows[now, 0] = i
            smallest = i
            for j in range(1, size + 1):
                best = rows[above, j - 1]
                if letter != wanted[j - 1]:
                    best += 1
                best = min(best, rows[above, j] + 1, rows[now, j - 1] + 1)
                swapped = i > 1 and j > 1 and letter == wanted[j - 2]
                if swapped and terms[start + i - 2] == wanted[j - 1]:
                    best = min(best, rows[second, j - 2] + 1)
                rows[now, j] = best
                smallest = min(smallest, best)
            if smallest > most:
                break
        else:
            last = length % 3
            cost = rows[last, size]
            if prefix:
                for j in range(size + 1):
                    cost = min(cost, rows[last, j])
            if cost <= most and cost < costs[term]:
                costs[term] = cost


def distance(one: str, other: str) -> int:
    """Return the edit distance of two texts in characters, as the module defines it."""
    before: list[int] = []
    above = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            best = min(above[j - 1] + (letter != wanted), above[j] + 1, row[j - 1] + 1)
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
