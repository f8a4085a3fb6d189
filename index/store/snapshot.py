"""One state of a collection, searched: segments plus delta, without the dead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Contribution, Passage, Representation, TermWeight
from ..config import CollectionConfig
from ..protocol import Approximate, DeltaPart, Dense, LegPart, Mask, Ranking, TermStatistics
from ..structures.looking import VectorSearch
from .segment import Passages, Segment

Masks = Sequence[Mask | None]
"""For each part of a snapshot, the rows that may be returned; None = all of them."""


FEW = 100
"""Where there are so many rows for each wanted document, these are looked up one by one."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or the delta, as far as one snapshot sees it.

    live: rows whose document is not dead, None = all; never None for the delta, whose snapshot
    ends where the mask ends. spread: passages for each document; 1 = none has several.
    """

    passages: Passages
    legs: Mapping[str, LegPart]
    live: Mask | None
    live_passages: int
    spread: float

    @property
    def dead_share(self) -> float:
        """Of the rows, from 0 to 1."""
        return 0.0 if self.live is None else 1 - self.live_passages / max(1, len(self.live))


@dataclass(frozen=True, slots=True)
class LegResult:
    """Documents of one leg for one query, best first, each by its best passage.

    numbers: int64 [m] document numbers; scores: float32 [m]; parts, rows: where the best passage
    is. complete: nothing else would have been found at a greater depth. statistics: what the
    scores were computed with.
    """

    numbers: NDArray[np.int64]
    scores: NDArray[np.float32]
    parts: NDArray[np.int64]
    rows: NDArray[np.int64]
    complete: bool
    statistics: TermStatistics | None

    def take(self, order: NDArray[np.intp]) -> LegResult:
        """The same documents in another order."""
        return LegResult(
            self.numbers[order],
            self.scores[order],
            self.parts[order],
            self.rows[order],
            self.complete,
            self.statistics,
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An immutable state; `generation` numbers it. One part for each segment, then the delta.

    config: of that state.
    """

    generation: int
    config: CollectionConfig
    parts: Sequence[Part]
    delta: Mapping[str, DeltaPart]
    segments: Sequence[Segment]

    @property
    def live_passages(self) -> int:
        return sum(part.live_passages for part in self.parts)

    def masks(self, numbers: NDArray[np.int64] | None) -> Masks:
        """Rows that are live and, when `numbers` are given, of one of these documents."""
        if numbers is None:
            return [part.live for part in self.parts]
        masks: list[Mask] = []
        for part in self.parts:
            mask = _among(part.passages.numbers[: _rows(part)], numbers)
            masks.append(mask if part.live is None else mask & part.live)
        return masks

    def statistics(self, leg: str, queries: Representation) -> TermStatistics | None:
        """Of all live passages, whatever the filter: a score does not depend on the filter."""
        found = [
            statistics
            for part in self.parts
            if (statistics := part.legs[leg].statistics(queries, part.live)) is not None
        ]
        if not found:
            return None
        frequencies: dict[str, int] = {}
        for statistics in found:
            for term, count in statistics.document_frequency.items():
                frequencies[term] = frequencies.get(term, 0) + count
        return TermStatistics(
            sum(s.passages for s in found), sum(s.total_length for s in found), frequencies
        )

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        masks: Masks,
        search: VectorSearch | None = None,
    ) -> list[LegResult]:
        """The best `depth` documents of one leg for each query.

        Ties are ordered by document number, so at the cut the older of equal documents are in.
        search: how far approximate indexes look, if not as configured; exact parts have no use
        for it.
        """
        statistics = self.statistics(leg, queries)
        found = [
            _best_passages(part, leg, queries, depth, mask, statistics, search)
            for part, mask in zip(self.parts, masks, strict=True)
        ]
        return [
            _gather(
                [(part, ranking, query) for part, ranking in zip(self.parts, found, strict=True)],
                depth,
                statistics,
            )
            for query in range(len(queries))
        ]

    def explain(
        self, leg: str, query: Representation, result: LegResult, position: int
    ) -> Sequence[Contribution]:
        """How the document at `position` of a result came to its score."""
        part = self.parts[int(result.parts[position])]
        return part.legs[leg].explain(query, int(result.rows[position]), result.statistics)

    def terms(self, leg: str, result: LegResult, position: int) -> Sequence[TermWeight]:
        """What the leg has of the best passage of the document at `position`: `LegPart.terms`."""
        part = self.parts[int(result.parts[position])]
        return part.legs[leg].terms(int(result.rows[position]))

    def vectors(
        self, leg: str, parts: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The vectors of passages of a dense leg with one for each: float32 [m, d], originals
        where they are kept, else as well as the codec knows them.

        parts, rows: int64 [m], where the passages are, as in a LegResult.
        """
        found: NDArray[np.float32] | None = None
        for index in np.unique(parts).tolist():
            part = self.parts[index].legs[leg]
            assert isinstance(part, Dense), f"leg {leg!r} is dense and has one vector for each text"
            wanted = parts == index
            vectors = part.take(rows[wanted])
            if found is None:
                found = np.empty((len(rows), vectors.shape[1]), dtype=np.float32)
            found[wanted] = vectors
        return np.empty((0, 0), dtype=np.float32) if found is None else found

    def passage(self, result: LegResult, position: int) -> Passage | None:
        """The best passage of the document at `position`; None = the whole document."""
        part = self.parts[int(result.parts[position])]
        start, end = part.passages.spans[int(result.rows[position])]
        return None if start < 0 else Passage(int(start), int(end))


def _among(own: NDArray[np.int64], wanted: NDArray[np.int64]) -> Mask:
    """Which of `own`, ascending, are one of `wanted`."""
    if len(wanted) * FEW > len(own):
        return np.isin(own, wanted)
    mask = np.zeros(len(own), dtype=np.bool_)
    firsts = np.searchsorted(own, wanted, "left").tolist()
    lasts = np.searchsorted(own, wanted, "right").tolist()
    for first, last in zip(firsts, lasts, strict=True):
        mask[first:last] = True
    return mask


def _rows(part: Part) -> int:
    return len(part.passages) if part.live is None else len(part.live)


def _best_passages(
    part: Part,
    leg: str,
    queries: Representation,
    depth: int,
    mask: Mask | None,
    statistics: TermStatistics | None,
    search: VectorSearch | None,
) -> Ranking:
    """Enough of the best passages that each query has `depth` documents, if so many match."""
    rows = _rows(part)
    if rows == 0:
        return Ranking(
            np.empty((len(queries), 0), np.int64), np.empty((len(queries), 0), np.float32)
        )
    numbers = part.passages.numbers
    searched = part.legs[leg]
    if search is not None and isinstance(searched, Approximate):
        searched = searched.tuned(search)
    k = depth if part.spread == 1 else int(depth * part.spread * 1.2) + 1
    while True:
        ranking = searched.search(queries, min(k, rows), mask, statistics)
        if k >= rows or part.spread == 1:
            return ranking
        if all(row[-1] < 0 or _distinct(numbers[row]) >= depth for row in ranking.rows):
            return ranking
        k *= 2


def _gather(
    found: Sequence[tuple[Part, Ranking, int]], depth: int, statistics: TermStatistics | None
) -> LegResult:
    numbers, scores, parts, rows = [], [], [], []
    complete = True
    for index, (part, ranking, query) in enumerate(found):
        row = ranking.rows[query]
        filled = int(np.count_nonzero(row >= 0))
        complete = complete and (filled < len(row) or filled >= _rows(part))
        row = row[:filled]
        rows.append(row)
        scores.append(ranking.scores[query, :filled])
        numbers.append(part.passages.numbers[row])
        parts.append(np.full(filled, index, dtype=np.int64))
    result = LegResult(
        _joined(numbers, np.int64),
        _joined(scores, np.float32),
        _joined(parts, np.int64),
        _joined(rows, np.int64),
        complete,
        statistics,
    )
    if sum(len(row) > 0 for row in rows) > 1:
        result = result.take(np.lexsort((result.numbers, -result.scores)))
    if any(part.spread > 1 for part, *_ in found):
        # Each document at its best passage only.
        by_number = np.argsort(result.numbers, kind="stable")
        again = np.diff(result.numbers[by_number]) == 0
        result = result.take(np.delete(np.arange(len(by_number)), by_number[1:][again]))
    if len(result.numbers) > depth:
        result = replace(result.take(np.arange(depth)), complete=False)
    return result


def _distinct(numbers: NDArray[np.int64]) -> int:
    ordered = np.sort(numbers)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _joined(arrays: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)
