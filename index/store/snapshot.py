"""One state of a collection, searched: segments plus delta, without the dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...core import Contribution, Passage, Representation, TermWeight
from ..config import CollectionConfig
from ..protocol import (
    Approximate,
    DeltaPart,
    Dense,
    LegPart,
    Mask,
    Ranking,
    Scored,
    TermStatistics,
    is_counted,
)
from ..structures.vector_search import VectorSearch
from ..view import Handles, LegResult
from .segment import Passages, Segment

Masks = Sequence[Mask | None]
"""For each part of a snapshot, the rows that may be returned; None = all of them."""


_ROW_BITS = 32
"""Of a passage's handle: the row in its part. The number of the part is before them."""
_ROW = (1 << _ROW_BITS) - 1

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

    def __len__(self) -> int:
        """Rows, dead ones included."""
        return len(self.passages) if self.live is None else len(self.live)

    @property
    def live_numbers(self) -> NDArray[np.int64]:
        """The document of each live row, ascending."""
        numbers = self.passages.numbers[: len(self)]
        return numbers if self.live is None else numbers[self.live]

    @property
    def dead_share(self) -> float:
        """Of the rows, from 0 to 1."""
        return 0.0 if self.live is None else 1 - self.live_passages / max(1, len(self.live))


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
            mask = _among(part.passages.numbers[: len(part)], numbers)
            masks.append(mask if part.live is None else mask & part.live)
        return masks

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        masks: Masks,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        """See View. Ties are ordered by document number, so at the cut the older of equal documents
        are in."""
        found = [
            _best_passages(part, scorer, queries, depth, mask, how)
            for part, scorer, mask in zip(
                self.parts, self._scorers(leg, queries), masks, strict=True
            )
        ]
        return [
            _gather(
                [(part, ranking, query) for part, ranking in zip(self.parts, found, strict=True)],
                depth,
            )
            for query in range(len(queries))
        ]

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        """See ExplainingView."""
        scorers = self._scorers(leg, query)
        for handle in passages.tolist():
            yield scorers[handle >> _ROW_BITS].explain(query, handle & _ROW)

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        """See ExplainingView."""
        for part, row in self._located(passages):
            yield part.legs[leg].terms(row)

    def passages(self, passages: Handles) -> list[Passage | None]:
        """See View."""
        spans = [part.passages.spans[row].tolist() for part, row in self._located(passages)]
        return [None if start < 0 else Passage(start, end) for start, end in spans]

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        """See VectorView. Originals where they are kept."""
        parts, rows = passages >> _ROW_BITS, passages & _ROW
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

    def _scorers(self, leg: str, queries: Representation) -> Sequence[LegPart]:
        """What scores the rows of each part.

        Statistics are those of all live passages: a score does not depend on the filter.
        """
        parts = [part.legs[leg] for part in self.parts]
        counted = [part for part in parts if is_counted(part)]
        if not counted:
            return parts
        live = [part.live for part in self.parts]
        total = TermStatistics.total(
            [part.statistics(queries, mask) for part, mask in zip(counted, live, strict=True)]
        )
        return [Scored(part, total) for part in counted]

    def _located(self, passages: Handles) -> Iterator[tuple[Part, int]]:
        """The part and the row of each passage."""
        for handle in passages.tolist():
            yield self.parts[handle >> _ROW_BITS], handle & _ROW


def rows_for(depth: int, spread: float, rows: int) -> int:
    """How many of the best rows to ask for, so that `depth` documents are likely among them.

    spread: passages for each document. rows: those there are.
    """
    return min(rows, depth if spread == 1 else int(depth * spread * 1.2) + 1)


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


def _best_passages(
    part: Part,
    searched: LegPart,
    queries: Representation,
    depth: int,
    mask: Mask | None,
    how: VectorSearch | None,
) -> Ranking:
    """Enough of the best passages that each query has `depth` documents, if so many match."""
    rows = len(part)
    if rows == 0:
        return Ranking.empty(len(queries), 0)
    numbers = part.passages.numbers
    if how is not None and isinstance(searched, Approximate):
        searched = searched.tuned(how)
    k = rows_for(depth, part.spread, rows)
    while True:
        ranking = searched.search(queries, k, mask)
        if k == rows or part.spread == 1:
            return ranking
        if all(row[-1] < 0 or _distinct(numbers[row]) >= depth for row in ranking.rows):
            return ranking
        k = min(rows, 2 * k)


def _gather(found: Sequence[tuple[Part, Ranking, int]], depth: int) -> LegResult:
    numbers, scores, passages = [], [], []
    complete = True
    for index, (part, ranking, query) in enumerate(found):
        row = ranking.rows[query]
        filled = int(np.count_nonzero(row >= 0))
        complete = complete and (filled < len(row) or filled >= len(part))
        row = row[:filled]
        scores.append(ranking.scores[query, :filled])
        numbers.append(part.passages.numbers[row])
        passages.append(row | index << _ROW_BITS)
    result = LegResult(
        np.concatenate(numbers), np.concatenate(scores), np.concatenate(passages), complete
    )
    if sum(len(rows) > 0 for rows in passages) > 1:
        result = result.take(np.lexsort((result.documents, -result.scores)))
    if any(part.spread > 1 for part, *_ in found):
        # Each document at its best passage only.
        by_number = np.argsort(result.documents, kind="stable")
        again = np.diff(result.documents[by_number]) == 0
        result = result.take(np.delete(np.arange(len(by_number)), by_number[1:][again]))
    if len(result.documents) > depth:
        result = replace(result.take(np.arange(depth)), complete=False)
    return result


def _distinct(numbers: NDArray[np.int64]) -> int:
    ordered = np.sort(numbers)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
