"""A dictionary of the terms of a segment, on disk and ordered by hash.

    hashes.npy   uint64 [terms]       ascending; the order of the posting lists
    offsets.npy  int64 [terms + 1]    byte offset of each term
    terms.npy    uint8 [bytes]        all terms as UTF-8, concatenated

The hash is an 8-byte BLAKE2b digest. Terms with equal hashes are adjacent and ordered by their
bytes, which are compared in lookups. Terms are not loaded into memory as strings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import numpy as np

from ...core.closing import Closing
from ..arrays.npy import NpyFile, NpyWriter
from .near_terms import Signatures, near_terms

_REMEMBERED = 4096
"""Maximum number of cached lookups."""


def encode(term: str) -> bytes:
    """Encode a term as UTF-8. Accepts lone surrogates, which broken input may contain."""
    return term.encode("utf-8", "surrogatepass")


def decode(term: bytes) -> str:
    """Decode a term that `encode` encoded."""
    return term.decode("utf-8", "surrogatepass")


def hash_of(term: bytes) -> int:
    """Return the 64-bit hash of an encoded term."""
    return int.from_bytes(blake2b(term, digest_size=8).digest(), "little")


class TermDictionary:
    """Maps terms to the numbers of their posting lists, and back. `len` is the number of terms."""

    def __init__(self, directory: Path) -> None:
        """Map the files in `directory`. Raises OSError or ValueError for an unusable file."""
        self._hashes = NpyFile(directory / "hashes.npy", np.uint64)
        self._offsets = NpyFile(directory / "offsets.npy", np.int64)
        self._terms = NpyFile(directory / "terms.npy", np.uint8)
        self._hashes.check_ascending()
        self._offsets.check_offsets(len(self._hashes), len(self._terms))
        # Indexing a memoryview returns Python numbers, several times faster than an array.
        self._hash_view = self._hashes.array.data
        self._offset_view = self._offsets.array.data
        self._term_view = self._terms.array.data
        self._known: dict[str, int | None] = {}
        self._signatures: Signatures | None = None  # Computed for the first suggestion.

    def __len__(self) -> int:
        return len(self._hash_view)

    def find(self, term: str) -> int | None:
        """Return the number of `term`, or None if the segment does not contain it.

        Caches the result, because a query looks up each term twice: for the statistics and for the
        search.
        """
        try:
            return self._known[term]
        except KeyError:
            number = self._look_up(term)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[term] = number
            return number

    def _look_up(self, term: str) -> int | None:
        raw = encode(term)
        wanted = hash_of(raw)
        number = bisect_left(self._hash_view, wanted)
        while number < len(self._hash_view) and self._hash_view[number] == wanted:
            if self._term_view[self._offset_view[number] : self._offset_view[number + 1]] == raw:
                return number
            number += 1
        return None

    def name(self, number: int) -> str:
        """Return the term with this number."""
        raw = self._term_view[self._offset_view[number] : self._offset_view[number + 1]]
        return decode(bytes(raw))

    def near(self, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """Return the terms that a misspelled word may stand for, with their costs.

        word: the word, folded as the terms are.
        stem: the term of the word.
        most: maximum cost. The module `near_terms` defines costs.
        """
        offsets, terms = self._offsets.array, self._terms.array
        if self._signatures is None:
            self._signatures = Signatures(offsets, terms)
        raw = encode(word), encode(stem)
        numbers, costs = near_terms(offsets, terms, *raw, most, self._signatures)
        names = map(self.name, numbers.tolist())
        return list(zip(names, costs.tolist(), strict=True))

    def count_below(self, hash_: int) -> int:
        """Return the number of terms whose hash is below `hash_`."""
        return bisect_left(self._hash_view, hash_)

    def hash_at(self, number: int) -> int:
        """Return the hash of the term with this number."""
        return int(self._hash_view[number])

    def read(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """Return the hash and UTF-8 bytes of each of the terms `first` to `last` (exclusive)."""
        offsets = self._offsets.read(first, last + 1)
        raw = self._terms.read(int(offsets[0]), int(offsets[-1])).tobytes()
        bounds = (offsets - offsets[0]).tolist()
        pieces = [raw[a:b] for a, b in pairwise(bounds)]
        return list(zip(self._hashes.read(first, last).tolist(), pieces, strict=True))


class DictionaryWriter(Closing):
    """Writes the files of a `TermDictionary`."""

    def __init__(self, directory: Path) -> None:
        with ExitStack() as opened:  # Closes all if one cannot be opened.
            self._hashes = opened.enter_context(NpyWriter(directory / "hashes.npy", np.uint64))
            self._offsets = opened.enter_context(NpyWriter(directory / "offsets.npy", np.int64))
            self._terms = opened.enter_context(NpyWriter(directory / "terms.npy", np.uint8))
            opened.pop_all()
        self._written = 0
        self._offsets.append(np.zeros(1, dtype=np.int64))

    def append(self, terms: Sequence[tuple[int, bytes]]) -> None:
        """Append terms as (hash, UTF-8 bytes), in ascending order within and across calls."""
        lengths = np.array([len(raw) for _, raw in terms], dtype=np.int64)
        self._hashes.append(np.array([hash_ for hash_, _ in terms], dtype=np.uint64))
        self._offsets.append(self._written + np.cumsum(lengths))
        self._terms.append(np.frombuffer(b"".join(raw for _, raw in terms), dtype=np.uint8))
        self._written += int(lengths.sum())

    def close(self) -> None:
        """Finish and close the files."""
        for writer in (self._hashes, self._offsets, self._terms):
            writer.close()
