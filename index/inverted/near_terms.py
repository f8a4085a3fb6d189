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

    offsets: byte offset of each term, int64 [terms + 1].
    terms:   all terms as UTF-8.
    word:    the word as UTF-8, folded as terms are.
    stem:    its own term.

    Returns nothing for an empty word, and for one of more than LONGEST bytes.
    """
    if not (0 < len(word) <= LONGEST and 0 < len(stem) <= LONGEST and len(offsets) > 1):
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    lengths = np.diff(offsets)
    fits = (lengths >= (len(word) + 1) // 2) & (lengths <= len(word) + SPARE)
    numbers = np.flatnonzero(fits)
    numbers = numbers[terms[offsets[numbers]] == word[0]]
    costs = np.full(len(numbers), FAR, dtype=np.uint8)
    for text, prefix in ((stem, False), (word, True)):
        wanted = np.frombuffer(text, dtype=np.uint8)
        _compare(offsets, terms, numbers, wanted, prefix, most, costs)
    near = costs <= most
    return numbers[near], costs[near]


@interpreted_first(lambda offsets, terms, numbers, *rest: 100 * numbers.size)
def _compare(
    offsets: Any, terms: Any, numbers: Any, wanted: Any, prefix: bool, most: int, costs: Any
) -> None:
    """Lower costs[i] to the distance of term numbers[i] and `wanted`, if that is at most `most`.

    prefix: compare with every prefix of `wanted`, and take the smallest distance.
    """
    size = wanted.size
    rows = np.empty((3, size + 1), dtype=np.int64)
    for index in range(numbers.size):
        start, stop = offsets[numbers[index]], offsets[numbers[index] + 1]
        length = stop - start
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
            if cost <= most and cost < costs[index]:
                costs[index] = cost


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
