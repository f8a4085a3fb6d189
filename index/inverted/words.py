"""An index in memory of the words of documents, which completes the last word of a text.

A word is a run of letters, digits and marks in lower case, not a stem, with 2 to 64 characters. The
scripts that are written without spaces have no such words.

The index is a list of blocks. A block has its words in order, and the numbers of the documents with
each word, so all words with one prefix, and their documents, are neighbours. New documents become a
new block. Blocks are merged as in a log-structured merge tree.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...encoders.scripts import SPACELESS, marks

SHORTEST, LONGEST = 2, 64
"""Smallest and largest number of characters of a word that is completed."""

Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]
"""True for the numbers of the documents that may be counted."""


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(f"[^\\W_{SPACELESS}](?:[^\\W_{SPACELESS}]|[{marks()}])*")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, in order, also those too short or too long."""
    return [word.lower() for word in _pattern().findall(text)]


def last_word(text: str) -> tuple[str, int]:
    """Return the word at the end of a text in lower case, and where it begins.

    The word is empty if the text does not end with a word.
    """
    found = None
    for found in _pattern().finditer(text):  # noqa: B007
        pass
    if found is None or found.end() < len(text):
        return "", len(text)
    return found.group().lower(), found.start()


@dataclass(frozen=True, slots=True)
class WordBlock:
    """The words of some documents.

    words:     distinct words, ascending.
    starts:    int64 [words + 1]; the documents of word w are `starts[w]` to `starts[w + 1]`
               (exclusive) of `documents`.
    documents: int64 [m], numbers of documents.
    size:      number of documents.
    """

    words: Sequence[str]
    starts: Numbers
    documents: Numbers
    size: int

    @classmethod
    def of(cls, texts: Iterable[tuple[int, str]]) -> WordBlock:
        """Return the block of these documents. texts: number and text of each document."""
        places: dict[str, int] = {}
        codes: list[NDArray[np.int32]] = []
        numbers: list[int] = []
        for number, text in texts:
            found = {w for w in words_of(text) if SHORTEST <= len(w) <= LONGEST}
            codes.append(
                np.array([places.setdefault(w, len(places)) for w in found], dtype=np.int32)
            )
            numbers.append(number)
        words = sorted(places)
        rank = np.empty(len(words), dtype=np.int64)
        rank[[places[word] for word in words]] = np.arange(len(words))
        lengths = [len(one) for one in codes]
        every = rank[np.concatenate(codes)] if codes else np.empty(0, dtype=np.int64)
        owners = np.repeat(np.array(numbers, dtype=np.int64), lengths)
        return cls._sorted(words, every, owners, len(numbers))

    @classmethod
    def _sorted(
        cls, words: Sequence[str], codes: Numbers, documents: Numbers, size: int
    ) -> WordBlock:
        order = np.argsort(codes, kind="stable")
        starts = np.zeros(len(words) + 1, dtype=np.int64)
        np.cumsum(np.bincount(codes, minlength=len(words)), out=starts[1:])
        return cls(words, starts, documents[order], size)

    def merged(self, other: WordBlock) -> WordBlock:
        """Return one block with the documents of both."""
        words = sorted({*self.words, *other.words})
        places = {word: place for place, word in enumerate(words)}
        codes = []
        for block in (self, other):
            own = np.array([places[word] for word in block.words], dtype=np.int64)
            codes.append(np.repeat(own, np.diff(block.starts)))
        documents = np.concatenate([self.documents, other.documents])
        return self._sorted(words, np.concatenate(codes), documents, self.size + other.size)

    def with_prefix(self, prefix: str) -> tuple[int, int]:
        """Return the first and the last place (exclusive) of the words that begin with `prefix`."""
        first = bisect_left(self.words, prefix)
        return first, bisect_left(self.words, prefix + "\U0010ffff", lo=first)

    def near(self, prefix: str) -> Iterator[tuple[int, int]]:
        """Yield ranges of places of the words that begin with a text one edit from `prefix`.

        An edit inserts, deletes or replaces a character, or exchanges two neighbours. The first
        character stays.
        """
        for i in range(1, len(prefix) + 1):
            head, tail = prefix[:i], prefix[i:]
            if tail:
                yield self.with_prefix(head + tail[1:])
            if len(tail) > 1:
                yield self.with_prefix(head + tail[1] + tail[0] + tail[2:])
            if tail:
                for following in self._following(head):
                    yield self.with_prefix(head + following + tail)
                    yield self.with_prefix(head + following + tail[1:])

    def _following(self, head: str) -> Iterator[str]:
        """Yield the characters that follow `head` in words."""
        place, end = self.with_prefix(head)
        while place < end:
            word = self.words[place]
            if len(word) == len(head):
                place += 1
                continue
            yield word[len(head)]
            place = self.with_prefix(word[: len(head) + 1])[1]

    def counts(self, first: int, last: int, mask: Mask) -> NDArray[np.int64]:
        """Return how many documents of `mask` have each of the words `first` to `last`."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        seen = np.zeros(end - begin + 1, dtype=np.int64)
        np.cumsum(mask[self.documents[begin:end]], out=seen[1:])
        return np.diff(seen[self.starts[first : last + 1] - begin])

    def having(self, word: str) -> Numbers:
        """Return the numbers of the documents that have a word."""
        place = bisect_left(self.words, word)
        if place == len(self.words) or self.words[place] != word:
            return np.empty(0, dtype=np.int64)
        return self.documents[self.starts[place] : self.starts[place + 1]]

    def starting(self, prefix: str) -> Numbers:
        """Return the numbers of the documents with a word that begins with `prefix`, repeated."""
        first, last = self.with_prefix(prefix)
        return self.documents[self.starts[first] : self.starts[last]]


def count_words(
    blocks: Sequence[WordBlock], prefix: str, mask: Mask, typos: int
) -> dict[str, tuple[int, int]]:
    """Return word -> (number of typos, number of documents of `mask` with the word).

    The words begin with `prefix`, or with a text one edit from it if `typos` is 1.
    """
    found: dict[str, tuple[int, int]] = {}
    for block in blocks:
        exact = block.with_prefix(prefix)
        ranges = [exact]
        if typos:
            ranges = _disjoint([exact, *block.near(prefix)])
        for first, last in ranges:
            counts = block.counts(first, last, mask)
            for place in np.flatnonzero(counts).tolist():
                word = block.words[first + place]
                wrong = 0 if exact[0] <= first + place < exact[1] else 1
                before = found.get(word, (wrong, 0))[1]
                found[word] = wrong, before + int(counts[place])
    return found


def _disjoint(ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the union of ranges as ranges that do not overlap, ascending."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(one for one in ranges if one[0] < one[1]):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found
