"""An index in memory of the titles of documents, which completes the beginning of a title."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .words import LONGEST, SHORTEST, Mask, Numbers, WordBlock, last_word, words_of

Entry = tuple[str, str, int]
"""A title in lower case, and the id and number of its document."""

EARLIER = 8
"""Maximum number of words before the last one that are compared."""


@dataclass(frozen=True, slots=True)
class TitleBlock:
    """The titles of some documents, ascending.

    entries: the titles in lower case, each with the id and number of its document, ascending.
    ranks:   int64 [highest number + 1 - first], place of a document in `entries`; -1: no title.
    first:   smallest number.
    words:   the words of the titles.
    """

    entries: Sequence[Entry]
    numbers: Numbers
    ranks: Numbers
    first: int
    words: WordBlock

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> TitleBlock:
        """Return the block of these titles. Empty titles are left out."""
        ordered = sorted(entry for entry in entries if entry[0])
        words = WordBlock.of((number, title) for title, _, number in ordered)
        return cls._ranked(ordered, words)

    @classmethod
    def _ranked(cls, ordered: Sequence[Entry], words: WordBlock) -> TitleBlock:
        numbers = np.array([number for _, _, number in ordered], dtype=np.int64)
        first = int(numbers.min(initial=0 if not len(numbers) else numbers[0]))
        ranks = np.full(int(numbers.max(initial=first)) + 1 - first, -1, dtype=np.int64)
        ranks[numbers - first] = np.arange(len(numbers))
        return cls(ordered, numbers, ranks, first, words)

    @property
    def size(self) -> int:
        """Number of titles."""
        return len(self.entries)

    def merged(self, other: TitleBlock) -> TitleBlock:
        """Return one block with the titles of both."""
        ordered = sorted([*self.entries, *other.entries])
        return self._ranked(ordered, self.words.merged(other.words))

    def best(self, text: str, mask: Mask, limit: int) -> list[tuple[bool, Entry]]:
        """Return the first `limit` titles that complete a text; see `complete_titles`.

        The first value of a pair is False for a title that begins with the text.
        """
        begin = bisect_left(self.entries, (text,))
        end = bisect_left(self.entries, (text + "\U0010ffff",), lo=begin)
        beginning = begin + np.flatnonzero(mask[self.numbers[begin:end]])[:limit]
        found = [(False, self.entries[place]) for place in beginning.tolist()]
        if len(found) < limit:
            having = self._having(text)
            places = self.ranks[having[mask[having]] - self.first]
            places = np.unique(places[(places < begin) | (places >= end)])[: limit - len(found)]
            found += [(True, self.entries[place]) for place in places.tolist()]
        return found

    def _having(self, text: str) -> Numbers:
        """Return the documents whose titles have all words of a text; the last is a prefix."""
        prefix, start = last_word(text)
        having = None if not prefix else np.unique(self.words.starting(prefix))
        for word in earlier_words(text[:start]):
            own = self.words.having(word)
            having = own if having is None else np.intersect1d(having, own)
        return np.empty(0, dtype=np.int64) if having is None else having


def earlier_words(text: str) -> list[str]:
    """Return the last `EARLIER` words of a text that an index of words has, without repetitions."""
    usable = [word for word in words_of(text) if SHORTEST <= len(word) <= LONGEST]
    return list(dict.fromkeys(usable[-EARLIER:]))


def complete_titles(blocks: Sequence[TitleBlock], text: str, mask: Mask, limit: int) -> list[Entry]:
    """Return the first `limit` titles of documents of `mask` that begin with a text in lower case,
    then those that have all its words, of which the last may be the beginning of a word.

    Titles are in alphabetical order, and documents with equal titles in the order of their ids.
    """
    found = [one for block in blocks for one in block.best(text, mask, limit)]
    return [entry for _, entry in sorted(found)[:limit]]
