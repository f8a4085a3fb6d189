"""A lexical leg in one segment: BM25 with statistics that each search passes in.

    hashes.npy, offsets.npy, terms.npy   the dictionary (see `dictionary`)
    indptr.npy   int64 [terms + 1]       offsets of the posting lists
    rows.npy     int32 [postings]        row of each posting
    codes.npy    uint16 or uint32 [postings]   pair of each posting, as an index into pairs.npy
    pairs.npy    int32 [pairs, 2]        distinct (term frequency, passage length), ascending
    lengths.npy  int32 [rows]            length of each passage in terms

The weight of a posting depends only on its term frequency and the length of its passage, and there
are few distinct pairs of these. Once the average length is known, the weights of all pairs are
computed into a table that fits into the fastest cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ...core import (
    Contribution,
    Progress,
    Representation,
    TermWeight,
)
from ..protocol import Mask, Ranking, TermStatistics, check_rows, heaviest_first
from . import lexical_files
from .bm25 import average_length, length_norms, query_terms, query_weights, term_counts, weighted
from .config import LexicalLeg
from .lexical_files import LexicalFiles
from .scoring import add_coded_weights, count_live
from .selection import rank


class LexicalSegment:
    """A SegmentPart of a lexical leg: an inverted index of the term frequencies of passages."""

    def __init__(self, directory: Path, config: LexicalLeg) -> None:
        self.config = config
        self.files = LexicalFiles(directory)
        self.dictionary, self.postings = self.files.dictionary, self.files.postings
        self._total = int(self.files.lengths.array.sum(dtype=np.int64))
        self._live: tuple[Mask | None, int, int] = (None, len(self), self._total)
        self._table: tuple[float, NDArray[np.float32]] = (0.0, np.empty(0, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.files)

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: LexicalLeg) -> None:
        """Write the files of a part with these rows into the empty `directory`.

        See `SegmentPart.build`.
        """
        check_rows(len(rows))
        lexical_files.write(directory, term_counts(rows))

    @classmethod
    def open(cls, directory: Path, config: LexicalLeg) -> Self:
        """Return the part stored in `directory`. See `SegmentPart.open`."""
        return cls(directory, config)

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: LexicalLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """Write one part with the rows of several parts, in order, into `directory`.

        See `SegmentPart.merge`.
        """
        files = [(source.files, mask) for source, mask in sources]
        lexical_files.merge(directory, files, memory)

    def statistics(self, queries: Representation, live: Mask | None) -> TermStatistics:
        """See Counted. Caches sums for the array `live`, which must therefore not be modified."""
        frequency = {term: 0 for terms in query_terms(queries) for term in terms}
        known = self._numbers(frequency)
        if live is None:
            for term, number in known.items():
                frequency[term] = self.postings.length(number)
        else:
            counts = np.empty(len(known), dtype=np.int64)
            numbers = np.fromiter(known.values(), dtype=np.int64)
            count_live(self.postings.indptr, self.postings.rows, numbers, live, counts)
            frequency.update(zip(known, counts.tolist(), strict=True))
        passages, total = self._totals(live)
        return TermStatistics(passages, total, frequency)

    def _totals(self, live: Mask | None) -> tuple[int, int]:
        """Return the number of live (not deleted) rows and the sum of their lengths in terms."""
        if live is None:
            return len(self), self._total
        remembered, passages, total = self._live
        if remembered is not live:
            passages = int(np.count_nonzero(live))
            total = int(self.files.lengths.array[live].sum(dtype=np.int64))
            self._live = (live, passages, total)
        return passages, total

    def occurrences(self, terms: Sequence[str], live: Mask | None) -> dict[str, int]:
        """Return term -> sum of its frequencies in the rows where `live` is true (None: all).

        See `Counted.occurrences`.
        """
        found = dict.fromkeys(terms, 0)
        lists, frequencies = self.postings, self.files.pairs.array[:, 0]
        for term, number in self._numbers(terms).items():
            listed = slice(int(lists.indptr[number]), int(lists.indptr[number + 1]))
            own = frequencies[lists.values[listed]]
            kept = own if live is None else own[live[lists.rows[listed]]]
            found[term] = int(kept.sum(dtype=np.int64))
        return found

    def near(self, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """Return the terms that a misspelled word may stand for, with their costs.

        See `Counted.near`.
        """
        return self.dictionary.near(word, stem, most)

    def search(
        self,
        queries: Representation,
        k: int,
        allowed: Mask | None,
        statistics: TermStatistics | None = None,
    ) -> Ranking:
        """Return the best k rows for each query among rows where `allowed` is true (None: all).

        See `Counted.search`.
        """
        statistics = statistics or self.statistics(queries, None)
        table = self._weights(average_length(statistics))
        lists = self.postings
        terms = [weighted(one, statistics, self._numbers(one)) for one in query_terms(queries)]
        add = partial(add_coded_weights, lists.indptr, lists.rows, lists.values, table)
        return rank(terms, len(terms), k, len(self), allowed, add, lists)

    def _numbers(self, terms: Iterable[str]) -> dict[str, int]:
        """Return term -> number of its posting list, for the terms that the segment contains."""
        found = {term: self.dictionary.find(term) for term in terms}
        return {term: number for term, number in found.items() if number is not None}

    def _weights(self, average: float) -> NDArray[np.float32]:
        """Return the weight tf / (tf + norm) of each pair in pairs.npy, float32 [pairs].

        average: mean passage length, from which `length_norms` computes the norm of a length.
        """
        known, table = self._table
        if known != average:
            frequencies, lengths = self.files.pairs.array.T
            norms = length_norms(lengths, average, self.config)
            table = (frequencies / (frequencies + norms)).astype(np.float32)
            self._table = (average, table)
        return table

    def explain(
        self, query: Representation, row: int, statistics: TermStatistics | None = None
    ) -> Sequence[Contribution]:
        """See Counted. The query weight of a term is its frequency in the query * idf."""
        statistics = statistics or self.statistics(query, None)
        table = self._weights(average_length(statistics))
        found = []
        for term, factor in query_weights(query_terms(query)[0], statistics).items():
            number = self.dictionary.find(term)
            if number is None:
                continue
            posting = int(self.postings.find(row, np.array([number]))[0])
            if posting >= 0:
                weight = float(table[self.postings.values[posting]])
                found.append(Contribution(term, factor * weight, factor, weight))
        return found

    def terms(self, row: int) -> Sequence[TermWeight]:
        """See LegPart. Takes milliseconds, because it searches every posting list."""
        terms, postings = self.postings.terms_of(row)
        frequencies = self.files.pairs.array[self.postings.values[postings], 0]
        return heaviest_first(
            TermWeight(self.dictionary.name(term), frequency)
            for term, frequency in zip(terms.tolist(), frequencies.tolist(), strict=True)
        )
