"""The protocols that every kind of index implements.

A leg of a collection is an encoder and an index of the vectors or terms that the encoder returns.
The index is stored in parts: one immutable part in each segment (on disk), and one growing part in
the delta (in memory), for passages that are not in a segment yet. Both are searched the same way. A
row of a part is a passage. Each part numbers its rows from 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..core import Contribution, InvalidInputError, Progress, Representation, TermWeight
from .structures.vector_search import VectorSearch

Mask = NDArray[np.bool_]

MAX_ROWS = 2**31 - 1
"""Maximum number of rows in one part of a leg. Row numbers are stored as int32."""


def check_rows(rows: int) -> None:
    """Raise InvalidInputError if a part of a leg would have more than MAX_ROWS rows."""
    if rows > MAX_ROWS:
        raise InvalidInputError(
            f"a segment can have at most {MAX_ROWS:,} passages (or vectors of passages), got "
            f"{rows:,}; divide the documents among several collections"
        )


def check_single(representation: Representation) -> None:
    """Raise InvalidInputError if `representation` has several vectors for each text.

    A leg that stores only one vector for each text calls this function.
    """
    if representation.offsets is not None:
        raise InvalidInputError(
            "this leg stores one vector for each text, got several; configure the leg with the "
            "encoder that returns these vectors",
            field="offsets",
        )


def kept_rows(sources: Sequence[tuple[Sized, Mask | None]]) -> int:
    """Return the number of rows that a merge of `sources` keeps.

    sources: the merged parts, each with a mask of the rows to keep; None: keep all.

    Raises InvalidInputError for more than MAX_ROWS rows.
    """
    rows = sum(
        len(source) if mask is None else int(np.count_nonzero(mask)) for source, mask in sources
    )
    check_rows(rows)
    return rows


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """Statistics of the passages in a lexical leg, from which BM25 scores are computed.

    Passages of deleted documents do not count.

    passages: number of passages.
    total_length: number of terms in all passages together, with repetitions.
    document_frequency: query term -> number of passages that contain it.
    """

    passages: int
    total_length: int
    document_frequency: Mapping[str, int]

    @classmethod
    def total(cls, parts: Sequence[TermStatistics]) -> TermStatistics:
        """Return the sums of the statistics of several parts, for the same query terms."""
        frequencies: dict[str, int] = {}
        for statistics in parts:
            for term, count in statistics.document_frequency.items():
                frequencies[term] = frequencies.get(term, 0) + count
        return cls(
            sum(one.passages for one in parts), sum(one.total_length for one in parts), frequencies
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best k rows for each of n queries, with their scores, best first.

    rows:   int64 [n, k], row numbers in one part of a leg.
    scores: float32 [n, k].

    Ties are ordered by row, ascending. A query with fewer results is padded with row -1 and
    score -inf.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def empty(cls, queries: int, k: int) -> Ranking:
        """Return a ranking without results: every row is -1."""
        rows = np.empty((queries, k), dtype=np.int64)
        scores = np.empty((queries, k), dtype=np.float32)
        rows.fill(-1)  # Half the time of numpy.full, which counts for one small query.
        scores.fill(-np.inf)
        return cls(rows, scores)


def heaviest_first(terms: Iterable[TermWeight]) -> list[TermWeight]:
    """Return the terms by descending weight. Terms of equal weight are sorted as strings."""
    return sorted(terms, key=lambda term: (-term.weight, term.term))


class LegPart(Protocol):
    """The index of one leg in one segment (on disk) or in the delta (in memory).

    A row is a passage.
    """

    def __len__(self) -> int:
        """Return the number of rows, including rows of deleted documents."""

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """Return the best k rows for each query among rows where `allowed` is true (None: all).

        Sparse and lexical parts return only rows that share a term with the query.
        """

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return the contribution of each query term to the score of a row; empty for dense legs.

        In a learned-sparse part, `Contribution.term` is the number of a vocabulary term, as decimal
        digits. The encoder can translate this number to a token.
        """

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Return the terms of one row with weights, heaviest first; empty for dense legs.

        In a learned-sparse part, a term is a vocabulary number, as in `explain`, with its stored
        weight. In a lexical part, the weight of a term is its frequency in the row.
        """


class Counted(LegPart, Protocol):
    """A part whose scores depend on statistics of all parts of its leg, as BM25 scores do.

    Its methods `search` and `explain` have one more argument than those of LegPart: `statistics`,
    the statistics of all parts together. None: the scores depend on this part only.
    """

    def statistics(self, queries: Representation, live: Mask | None) -> TermStatistics:
        """Return the statistics of the rows where `live` is true (None: all rows).

        queries: encoded queries. The result has the document frequency of each of their terms.
        """

    def occurrences(self, terms: Sequence[str], live: Mask | None) -> Mapping[str, int]:
        """Return term -> sum of its frequencies in the rows where `live` is true (None: all)."""

    def near(self, word: str, stem: str, most: int) -> Sequence[tuple[str, int]]:
        """Return the terms that a misspelled word may stand for, with their costs.

        word: the word, folded as the leg's terms are.
        stem: the term of the word.
        most: maximum cost. The module `inverted.near_terms` defines costs.
        """

    def search(
        self,
        queries: Representation,
        k: int,
        allowed: Mask | None,
        statistics: TermStatistics | None = None,
    ) -> Ranking: ...

    def explain(
        self, query: Representation, row: int, statistics: TermStatistics | None = None
    ) -> Sequence[Contribution]: ...


def is_counted(part: LegPart) -> TypeGuard[Counted]:
    """Return True if the scores of `part` depend on statistics of the whole leg.

    Every search calls this function for every part, so it must be fast.
    """
    return hasattr(part, "statistics")


class Scored:
    """Wraps a `Counted` part with fixed statistics, so that it is searched like any LegPart."""

    def __init__(self, part: Counted, statistics: TermStatistics) -> None:
        self._part = part
        self.search = partial(part.search, statistics=statistics)
        self.explain = partial(part.explain, statistics=statistics)
        self.terms = part.terms

    def __len__(self) -> int:
        return len(self._part)


@runtime_checkable
class Approximate(Protocol):
    """A part whose searches can be tuned by a recall target or by index parameters.

    The part can also describe how it is stored.
    """

    def tuned(self, search: VectorSearch) -> LegPart:
        """Return this part with other search parameters.

        search: a recall target, or parameters that the kind of index supports.
        """

    def description(self) -> dict[str, Any]:
        """Return how this part is stored and searched, as JSON values. Sizes are in bytes."""


@runtime_checkable
class Dense(Protocol):
    """A part that stores one dense vector for each row."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of m rows, float32 [m, d], in the best precision that is stored.

        rows: row numbers, int64 [m].
        """


class SegmentPart(LegPart, Protocol):
    """The index of one leg in one segment: immutable files in a directory of their own."""

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: Any) -> None:
        """Write the files of a part with these rows into the empty `directory`.

        config: configuration of the leg.

        The caller then syncs the files to disk.
        """

    @classmethod
    def open(cls, directory: Path, config: Any) -> Self:
        """Return the part stored in `directory`. Its files are memory-mapped.

        config: configuration of the leg.
        """

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: Any,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """Write one part with the rows of several parts, in order, into `directory`.

        sources: the merged parts, each with a mask of the rows to keep; None: keep all.
        config: configuration of the leg.
        memory: working memory in bytes. Structures that an index must have in memory while it is
            built, such as a graph, need additional memory.
        progress: the merge may report finished rows to it. The caller reports all other rows.

        The result equals a part that `build` writes with the kept rows. `directory` may contain
        files of an interrupted attempt at the same merge.
        """


class DeltaPart(LegPart, Protocol):
    """The index of one leg in the delta: passages that are not in a segment yet, in memory.

    Rows are only appended. One thread can search the first n rows while another appends rows: the
    mask `allowed` then has n elements, and the search ignores later rows. The callers of a delta
    part always pass the masks `allowed` and `live`, never None.
    """

    def __init__(self, config: Any) -> None: ...

    def append(self, rows: Representation) -> None:
        """Add rows at the end."""

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """Return the rows with the numbers `keep`, in that order.

        `SegmentPart.build` then writes them as a segment.
        """

    @staticmethod
    def pack(rows: Representation) -> list[bytes]:
        """Return each row as bytes for the database, without loss.

        The format must not be pickle, which can run code.
        """

    @staticmethod
    def unpack(packed: Sequence[bytes]) -> Representation:
        """Return the rows for which `pack` returned the bytes `packed`.

        Raises ValueError for damaged bytes.
        """
