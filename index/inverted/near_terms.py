"""Finds the terms of a dictionary that a misspelled word may stand for.

The cost of a term is the smaller of two edit distances: the distance to the word's own term (its
stem), and the smallest distance to a prefix of the word. The second distance finds the stem "relat"
for "relativty". The word's own stem is "relativti". An edit inserts, deletes or replaces a byte, or
exchanges two adjacent bytes (optimal string alignment). A term must begin with the same byte as the
word, and be at least half as long.

Most terms are excluded without a comparison, by their length and their letters (`Signatures`). Each
edit adds at most one letter that the word lacks, and removes at most one letter of the word. A
prefix that costs `most` is at most `most` bytes shorter than the term.
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


BLOCK = 1 << 16
"""Number of terms whose signatures are computed at once."""

_BITS = (1 << (np.arange(256) & 31)).astype(np.uint32)
"""The bit of each byte. Different letters of one alphabet have different bits."""


class Signatures:
    """First byte, length and letters of each term of a dictionary, in 6 bytes a term.

    offsets, terms: see the function `near_terms`.
    """

    def __init__(self, offsets: NDArray[np.int64], terms: Bytes) -> None:
        lengths = np.diff(offsets)
        self._lengths = np.minimum(lengths, 255).astype(np.uint8)
        self._heads = np.zeros(len(lengths), np.uint8)
        self._letters = np.zeros(len(lengths), np.uint32)
        for first in range(0, len(lengths), BLOCK):
            numbers = first + np.flatnonzero(lengths[first : first + BLOCK])
            if len(numbers):
                starts = offsets[numbers]
                block = terms[starts[0] : offsets[numbers[-1] + 1]]
                self._heads[numbers] = terms[starts]
                self._letters[numbers] = np.bitwise_or.reduceat(_BITS[block], starts - starts[0])

    def candidates(
        self, word: bytes, stem: bytes, most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the terms that may have a cost of at most `most`.

        word, stem: see the function `near_terms`.

        Returns three arrays: the numbers of these terms, ascending; for each term, True if it must
        be compared with the prefixes of `word`; and True if it must be compared with `stem`.
        """
        fits = self._heads == word[0]
        fits &= self._lengths >= (len(word) + 1) // 2
        fits &= self._lengths <= len(word) + SPARE
        numbers = np.flatnonzero(fits)
        letters, lengths = self._letters[numbers], self._lengths[numbers]
        prefixes = np.array([_letters(word[: max(0, n - most)]) for n in range(256)], np.uint32)
        of_word = np.bitwise_count(letters & ~_letters(word)) <= most
        of_word &= np.bitwise_count(prefixes[lengths] & ~letters) <= most
        of_stem = np.bitwise_count(letters & ~_letters(stem)) <= most
        of_stem &= np.bitwise_count(_letters(stem) & ~letters) <= most
        if word.startswith(stem):  # The stem is one of the prefixes.
            of_stem[:] = False
        near = of_word | of_stem
        return numbers[near], of_word[near], of_stem[near]


def _letters(text: bytes) -> np.uint32:
    """Return a number in which the bits (`_BITS`) of all bytes of a text are set."""
    return np.uint32(np.bitwise_or.reduce(_BITS[np.frombuffer(text, dtype=np.uint8)]))


def near_terms(
    offsets: NDArray[np.int64],
    terms: Bytes,
    word: bytes,
    stem: bytes,
    most: int,
    signatures: Signatures | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the numbers of the terms whose cost is at most `most`, ascending, and their costs.

    offsets: byte offset of each term, int64 [terms + 1].
    terms:   all terms as UTF-8.
    word:    the word as UTF-8, folded as the terms are.
    stem:    the term of the word, as UTF-8.
    most:    maximum cost; the module docstring defines costs.
    signatures: the signatures of all terms; None: the function computes them.

    Returns empty arrays if `word` or `stem` is empty or has more than LONGEST bytes.
    """
    if not (0 < len(word) <= LONGEST and 0 < len(stem) <= LONGEST and len(offsets) > 1):
        return np.empty(0, np.int64), np.empty(0, np.uint8)
    signatures = signatures or Signatures(offsets, terms)
    numbers, of_word, of_stem = signatures.candidates(word, stem, most)
    costs = np.full(len(numbers), FAR, dtype=np.uint8)
    for text, chosen, prefix in ((stem, of_stem, False), (word, of_word, True)):
        own = np.full(int(chosen.sum()), FAR, dtype=np.uint8)
        wanted = np.frombuffer(text, dtype=np.uint8)
        _compare(offsets, terms, numbers[chosen], wanted, prefix, most, own)
        costs[chosen] = np.minimum(costs[chosen], own)
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
            # Distances of at most `most` are near the diagonal.
            first, last = max(1, i - most), min(size, i + most)
            rows[now, first - 1] = i if first == 1 else FAR
            if last < size:
                rows[now, last + 1] = FAR
            smallest = rows[now, first - 1]
            for j in range(first, last + 1):
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
            row = length % 3
            cost = rows[row, size] if size <= length + most else FAR
            if prefix:
                for j in range(max(0, length - most), min(size, length + most) + 1):
                    cost = min(cost, rows[row, j])
            if cost <= most and cost < costs[index]:
                costs[index] = cost


def distance(one: str, other: str) -> int:
    """Return the edit distance of two texts: the smallest number of edits between them.

    The module docstring defines edits. Here, they change characters instead of bytes.
    """
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
