"""What every kind of index offers, so that one collection can hold them all.

A leg of a collection is stored in parts: one immutable part in each segment, and one growing part
for the delta (documents written since the last seal). Both are searched the same way. Rows are
passages, numbered from 0 inside their part.
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
"""Rows of one part: their numbers are stored as int32."""


def check_rows(rows: int) -> None:
    """Raise InvalidInputError if these are more rows than a part can have."""
    if rows > MAX_ROWS:
        raise InvalidInputError(
            f"{rows:,} passages are more than the {MAX_ROWS:,} of a segment: divide the documents "
            "among several collections"
        )


def check_single(representation: Representation) -> None:
    """Raise InvalidInputError for texts with several vectors, in a leg that has one for each."""
    if representation.offsets is not None:
        raise InvalidInputError(
            "this leg has one vector for each text; an encoder that gives several needs a leg "
            "configured with it",
            field="offsets",
        )


def kept_rows(sources: Sequence[tuple[Sized, Mask | None]]) -> int:
    """Rows that a merge of `sources` keeps. Raises InvalidInputError if a part cannot have them."""
    rows = sum(
        len(source) if mask is None else int(np.count_nonzero(mask)) for source, mask in sources
    )
    check_rows(rows)
    return rows


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """What BM25 needs to know of live passages: their number, summed length, and for each query
    term how many of them contain it. Those of several parts add up."""

    passages: int
    total_length: int
    document_frequency: Mapping[str, int]

    @classmethod
    def total(cls, found: Sequence[TermStatistics]) -> TermStatistics:
        """Those of several parts for the same queries, added up."""
        frequencies: dict[str, int] = {}
        for statistics in found:
            for term, count in statistics.document_frequency.items():
                frequencies[term] = frequencies.get(term, 0) + count
        return cls(
            sum(one.passages for one in found), sum(one.total_length for one in found), frequencies
        )


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows and scores of n queries: int64 [n, k] and float32 [n, k], best first.

    Ties are ordered by row, ascending. A query with fewer results is padded with row -1 and
    score -inf.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    @classmethod
    def empty(cls, queries: int, k: int) -> Ranking:
        """No results."""
        rows = np.empty((queries, k), dtype=np.int64)
        scores = np.empty((queries, k), dtype=np.float32)
        rows.fill(-1)  # Half the time of numpy.full, which counts for one small query.
        scores.fill(-np.inf)
        return cls(rows, scores)


def heaviest_first(terms: Iterable[TermWeight]) -> list[TermWeight]:
    """By weight, descending; equal ones by term."""
    return sorted(terms, key=lambda term: (-term.weight, term.term))


class LegPart(Protocol):
    """One leg of one segment, or of the delta."""

    def __len__(self) -> int:
        """Rows held, dead ones included."""

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """Best k rows for each query among those where `allowed` is true (None = all).

        Sparse and lexical parts return only rows that share a term with the query.
        """

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Contribution of each query term to the score of one row; empty for dense legs.

        For a learned-sparse part `term` is the decimal vocabulary index: the encoder names it.
        """

    def terms(self, row: int) -> Sequence[TermWeight]:
        """The terms of one row, heaviest first, equal ones by term; empty for dense legs.

        Learned-sparse parts give weights, named as by `explain`; lexical parts give frequencies.
        """


class Counted(LegPart, Protocol):
    """A part whose scores depend on statistics of all parts of its leg: BM25.

    `search` and `explain` are those of LegPart with the statistics of all parts added; None = those
    of this part alone.
    """

    def statistics(self, queries: Representation, live: Mask | None) -> TermStatistics:
        """Statistics of the rows where `live` is true (None = all)."""

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
    """Whether scores of a part depend on statistics. Quick: every search asks it of every part."""
    return hasattr(part, "statistics")


class Scored:
    """A `Counted` part with the statistics that a search scores by: a LegPart."""

    def __init__(self, part: Counted, statistics: TermStatistics) -> None:
        self._part = part
        self.search = partial(part.search, statistics=statistics)
        self.explain = partial(part.explain, statistics=statistics)
        self.terms = part.terms

    def __len__(self) -> int:
        return len(self._part)


@runtime_checkable
class Approximate(Protocol):
    """A part that can be told how far to look, and tells how it is stored."""

    def tuned(self, search: VectorSearch) -> LegPart:
        """The same part, searched as `search` says. Its parameters fit the kind of index."""

    def description(self) -> dict[str, Any]:
        """How it is stored, in bytes, and what is known of its search; plain values."""


@runtime_checkable
class Dense(Protocol):
    """A part that has one vector for each row."""

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors of these rows, float32 [m, d], as well as they are known."""


class SegmentPart(LegPart, Protocol):
    """The immutable part, in a directory of its own."""

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: Any) -> None:
        """Write the files for `rows` into the empty `directory`. Does not fsync."""

    @classmethod
    def open(cls, directory: Path, config: Any) -> Self:
        """Map the files."""

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: Any,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """Write one part with the rows of `sources` in order, without those whose mask is false.

        Working memory stays under about `memory` bytes, apart from what the result itself must
        hold in memory to be built (a graph). The result equals `build` over the kept rows.
        `directory` may hold what an interrupted try of the same merge has left. `progress` may be
        told of rows that are done; the caller counts those it was not told of.
        """


class DeltaPart(LegPart, Protocol):
    """The growing part. Rows are only ever appended, so a reader that knew n rows may go on
    searching them while more are added: `allowed` then has n elements and bounds the search
    (it is never None for a delta, nor is `live`)."""

    def __init__(self, config: Any) -> None: ...

    def append(self, rows: Representation) -> None:
        """Add rows at the end."""

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """The rows with these numbers, in this order: what a seal passes to `build`."""

    @staticmethod
    def pack(rows: Representation) -> list[bytes]:
        """Each row as bytes for the database (never pickle); exact."""

    @staticmethod
    def unpack(packed: Sequence[bytes]) -> Representation:
        """The inverse of `pack`."""
