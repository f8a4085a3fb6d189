"""The delta of a lexical leg: an in-memory index of passages that are not in a segment yet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ...core import Contribution, Representation, TermCounts, TermWeight
from ..arrays.growing import GrowingArray
from ..protocol import Mask, Ranking, TermStatistics, heaviest_first
from .bm25 import average_length, length_norms, query_terms, query_weights, term_counts, weighted
from .config import LexicalLeg
from .dictionary import encode
from .log import LogState, PostingsLog, add_linked_frequencies, count_linked, sum_linked
from .near_terms import near_terms
from .selection import rank


class LexicalDelta:
    """A DeltaPart of a lexical leg: term frequencies of passages that are not in a segment yet."""

    def __init__(self, config: LexicalLeg) -> None:
        self.config = config
        self._log = PostingsLog(np.int32)
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._lengths = GrowingArray(np.int32)

    def __len__(self) -> int:
        return len(self._log.state.indptr) - 1

    def append(self, rows: Representation) -> None:
        """Add rows at the end. See `DeltaPart.append`."""
        passages = term_counts(rows)
        numbers = []
        for counts in passages:
            for term in counts:
                number = self._numbers.get(term)
                if number is None:
                    number = len(self._names)
                    self._names.append(term)
                    self._numbers[term] = number
                numbers.append(number)
        frequencies = [count for counts in passages for count in counts.values()]
        self._lengths.append(np.array([sum(counts.values()) for counts in passages], np.int32))
        self._log.append(
            np.array(numbers, dtype=np.int32),
            np.array(frequencies, dtype=np.int32),
            np.array([len(counts) for counts in passages], dtype=np.int64),
            len(self._names),
        )

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """Return the rows with the numbers `keep`, in that order. See `DeltaPart.rows`."""
        state = self._log.state
        return Representation(terms=[self._counts(state, row) for row in keep.tolist()])

    def _counts(self, state: LogState, row: int) -> TermCounts:
        terms, counts = state.row(row)
        names = (self._names[term] for term in terms.tolist())
        return dict(zip(names, counts.tolist(), strict=True))

    def statistics(self, queries: Representation, live: Mask | None) -> TermStatistics:
        """Return the statistics of the rows where `live` is true (None: all rows).

        See `Counted.statistics`.
        """
        return self._statistics(self._log.state, queries, live)

    def _statistics(
        self, state: LogState, queries: Representation, live: Mask | None
    ) -> TermStatistics:
        if live is None:
            live = np.ones(len(state.indptr) - 1, dtype=np.bool_)
        frequency = {term: 0 for terms in query_terms(queries) for term in terms}
        known = self._known(frequency, state)
        counts = np.empty(len(known), dtype=np.int64)
        numbers = np.fromiter(known.values(), dtype=np.int64)
        count_linked(state.heads, state.previous, state.rows, numbers, live, counts)
        return TermStatistics(
            int(np.count_nonzero(live)),
            int(self._lengths.values[: len(live)][live].sum(dtype=np.int64)),
            frequency | dict(zip(known, counts.tolist(), strict=True)),
        )

    def occurrences(self, terms: Sequence[str], live: Mask | None) -> dict[str, int]:
        """Return term -> sum of its frequencies in the rows where `live` is true (None: all).

        See `Counted.occurrences`.
        """
        state = self._log.state
        if live is None:
            live = np.ones(len(state.indptr) - 1, dtype=np.bool_)
        known = self._known(terms, state)
        sums = np.empty(len(known), dtype=np.int64)
        numbers = np.fromiter(known.values(), dtype=np.int64)
        sum_linked(state.heads, state.previous, state.rows, state.values, numbers, live, sums)
        return dict.fromkeys(terms, 0) | dict(zip(known, sums.tolist(), strict=True))

    def near(self, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """Return the terms that a misspelled word may stand for, with their costs.

        See `Counted.near`.
        """
        known = self._names[: len(self._log.state.heads)]
        names = [name for name in known if name[:1] == word[:1]]
        raw = [encode(name) for name in names]
        offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
        joined = np.frombuffer(b"".join(raw), dtype=np.uint8)
        numbers, costs = near_terms(offsets, joined, encode(word), encode(stem), most)
        return [(names[n], cost) for n, cost in zip(numbers.tolist(), costs.tolist(), strict=True)]

    def _known(self, terms: Iterable[str], state: LogState) -> dict[str, int]:
        """Return term -> number for the terms that `state` contains; skips all other terms."""
        found = {term: self._numbers.get(term, -1) for term in terms}
        return {term: n for term, n in found.items() if 0 <= n < len(state.heads)}

    def search(
        self,
        queries: Representation,
        k: int,
        allowed: Mask | None,
        statistics: TermStatistics | None = None,
    ) -> Ranking:
        """See Counted. Searches the first len(allowed) rows; if `allowed` is None, all rows."""
        state = self._log.state
        known = len(state.indptr) - 1 if allowed is None else len(allowed)
        statistics = statistics or self._statistics(state, queries, None)
        norms = length_norms(self._lengths.values[:known], average_length(statistics), self.config)

        add = partial(
            add_linked_frequencies, state.heads, state.previous, state.rows, state.values, norms
        )
        found = [
            weighted(terms, statistics, self._known(terms, state)) for terms in query_terms(queries)
        ]
        return rank(found, len(found), k, known, allowed, add)

    def explain(
        self, query: Representation, row: int, statistics: TermStatistics | None = None
    ) -> Sequence[Contribution]:
        """See Counted. The query weight of a term is its frequency in the query * idf."""
        state = self._log.state
        statistics = statistics or self._statistics(state, query, None)
        length = self._lengths.values[row : row + 1]
        norm = float(length_norms(length, average_length(statistics), self.config)[0])
        counts = self._counts(state, row)
        found = []
        for term, factor in query_weights(query_terms(query)[0], statistics).items():
            if term in counts:
                weight = counts[term] / (counts[term] + norm)
                found.append(Contribution(term, factor * weight, factor, weight))
        return found

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Return the terms of one row with their frequencies, most frequent first.

        See `LegPart.terms`.
        """
        counts = self._counts(self._log.state, row)
        return heaviest_first(TermWeight(term, count) for term, count in counts.items())

    @staticmethod
    def pack(rows: Representation) -> list[bytes]:
        """See DeltaPart. Packs each row as JSON and keeps the order of the terms."""
        return [orjson.dumps(dict(counts)) for counts in term_counts(rows)]

    @staticmethod
    def unpack(packed: Sequence[bytes]) -> Representation:
        """See DeltaPart. Raises ValueError if a row is damaged."""
        return Representation(terms=[_term_counts(orjson.loads(data)) for data in packed])


def _term_counts(value: Any) -> TermCounts:
    """Return `value` if it maps terms to positive counts with a sum below 2**31.

    Raises ValueError otherwise.
    """
    if not isinstance(value, dict):
        raise ValueError(
            f"the terms of a stored passage must be a JSON object, got {type(value).__name__}"
        )
    counts = value.values()
    if any(type(count) is not int or count < 1 for count in counts) or sum(counts) >= 1 << 31:
        raise ValueError(
            "the term frequencies of a stored passage must be positive integers with a sum below "
            f"2**31, got {str(list(counts))[:80]}"
        )
    return value
