"""A snapshot: the index of a collection after one commit, which later commits do not change.

A snapshot refers to the segments, and to the rows that the delta had at that time. Masks mark the
rows whose documents are not deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...core import Contribution, InvalidInputError, Passage, Representation, TermWeight
from ...core.trace import checkpoint
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
from ..view import CollectionTerms, Handles, LegResult
from .segment import Passages, Segment

Masks = Sequence[Mask | None]
"""For each part of a snapshot, a mask of the rows that may be returned. None: all rows."""


_ROW_BITS = 32
"""Number of low bits of a passage handle that contain the row. The other bits contain the index of
the part."""
_ROW = (1 << _ROW_BITS) - 1

ROWS_PER_LOOKUP = 100
"""If a part has at least this many rows per wanted document, documents are found by binary search.

Otherwise all rows are scanned."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment or the delta, in one snapshot. A row is a passage.

    passages: the document and the character range of each row.
    legs: leg -> index of these rows.
    live: mask of rows whose documents are not deleted. None: all rows. For the delta it is never
        None, and its length is the number of rows in the snapshot.
    live_passages: number of live rows.
    spread: mean number of passages per document; 1 if every document has one passage.
    """

    passages: Passages
    legs: Mapping[str, LegPart]
    live: Mask | None
    live_passages: int
    spread: float

    def __len__(self) -> int:
        """Return the number of rows, including rows of deleted documents."""
        return len(self.passages) if self.live is None else len(self.live)

    @property
    def live_numbers(self) -> NDArray[np.int64]:
        """Document numbers of the live rows, ascending."""
        numbers = self.passages.numbers[: len(self)]
        return numbers if self.live is None else numbers[self.live]

    @property
    def dead_share(self) -> float:
        """Fraction of the rows whose documents are deleted, from 0 to 1."""
        return 0.0 if self.live is None else 1 - self.live_passages / max(1, len(self.live))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The index of a collection after one commit. Immutable.

    generation: number of commits up to and including this one.
    config: configuration of the collection after this commit.
    parts: one part for each segment, then one for the delta.
    delta: leg -> index of the passages that are not in a segment yet.
    segments: the segments, in the order of `parts`.
    """

    generation: int
    config: CollectionConfig
    parts: Sequence[Part]
    delta: Mapping[str, DeltaPart]
    segments: Sequence[Segment]

    @property
    def live_passages(self) -> int:
        """Number of passages whose documents are not deleted."""
        return sum(part.live_passages for part in self.parts)

    def masks(self, numbers: NDArray[np.int64] | None) -> Masks:
        """Return, for each part, a mask of the rows whose documents are not deleted.

        numbers: numbers of the documents whose rows the masks may contain. None: all documents.
        """
        if numbers is None:
            return [part.live for part in self.parts]
        masks: list[Mask] = []
        for part in self.parts:
            mask = _rows_of_documents(part.passages.numbers[: len(part)], numbers)
            masks.append(mask if part.live is None else mask & part.live)
        return masks

    def masks_at(self, last: int, past: NDArray[np.int64]) -> Masks:
        """Return masks of the documents with numbers up to `last` that are live, and of `past`.

        past: numbers of superseded versions, ascending.
        """
        masks: list[Mask] = []
        for part in self.parts:
            numbers = part.passages.numbers[: len(part)]
            mask = numbers <= last
            if part.live is not None:
                mask &= part.live
            masks.append(mask | _rows_of_documents(numbers, past) if len(past) else mask)
        return masks

    def masks_of(self, numbers: NDArray[np.int64]) -> Masks:
        """Return masks of the rows of these documents, also of superseded versions."""
        return [
            _rows_of_documents(part.passages.numbers[: len(part)], numbers) for part in self.parts
        ]

    def search(
        self,
        leg: str,
        queries: Representation,
        depth: int,
        masks: Masks,
        how: VectorSearch | None = None,
    ) -> list[LegResult]:
        """See View. Documents with equal scores are ordered by number, so older ones come first."""
        rankings = [
            _best_passages(part, scorer, queries, depth, mask, how)
            for part, scorer, mask in zip(
                self.parts, self._scorers(leg, queries), masks, strict=True
            )
        ]
        return [
            _merged(
                [
                    (part, ranking, query)
                    for part, ranking in zip(self.parts, rankings, strict=True)
                ],
                depth,
            )
            for query in range(len(queries))
        ]

    def frequencies(self, leg: str, terms: Sequence[str]) -> dict[str, int]:
        """Return term -> number of passages of a lexical leg that contain it.

        See `View.frequencies`.
        """
        query = Representation(terms=[dict.fromkeys(terms, 1)])
        return dict(self._statistics(leg, query).document_frequency)

    def statistics(self, leg: str, terms: Sequence[str]) -> CollectionTerms:
        """Return the statistics of these terms in a lexical leg. See `View.statistics`."""
        total = self._statistics(leg, Representation(terms=[dict.fromkeys(terms, 1)]))
        occurrences = dict.fromkeys(terms, 0)
        for one in self.parts:
            part = one.legs[leg]
            assert is_counted(part), "checked by _statistics"
            for term, count in part.occurrences(terms, one.live).items():
                occurrences[term] += count
        return CollectionTerms(
            total.passages, total.total_length, total.document_frequency, occurrences
        )

    def near_terms(self, leg: str, word: str, stem: str, most: int) -> list[tuple[str, int]]:
        """Return the terms of a lexical leg that a misspelled word may stand for, with their costs.

        See `VocabularyView.near_terms`.
        """
        costs: dict[str, int] = {}
        for one in self.parts:
            part = one.legs[leg]
            if not is_counted(part):
                raise InvalidInputError(f"leg {leg!r} has no terms; name a lexical leg")
            costs.update(part.near(word, stem, most))
        return sorted(costs.items(), key=lambda item: (item[1], item[0]))

    def explain(
        self, leg: str, query: Representation, passages: Handles
    ) -> Iterator[Sequence[Contribution]]:
        """Yield, for each passage, the contribution of each query term to its score.

        See `ExplainingView.explain`.
        """
        scorers = self._scorers(leg, query)
        for handle in passages.tolist():
            yield scorers[handle >> _ROW_BITS].explain(query, handle & _ROW)

    def terms(self, leg: str, passages: Handles) -> Iterator[Sequence[TermWeight]]:
        """Yield the terms of each passage with weights, heaviest first; empty for dense legs.

        See `ExplainingView.terms`.
        """
        for part, row in self._located(passages):
            yield part.legs[leg].terms(row)

    def passages(self, passages: Handles, neighbours: int = 0) -> list[Passage | None]:
        """Return the character range of each passage in its document; None: the whole document.

        See `View.passages`.
        """
        found: list[Passage | None] = []
        for part, row in self._located(passages):
            first, last = max(0, row - neighbours), min(len(part), row + neighbours + 1)
            same = part.passages.numbers[first:last] == part.passages.numbers[row]
            spans = part.passages.spans[first:last][same]
            start, end = int(spans[:, 0].min()), int(spans[:, 1].max())
            found.append(None if start < 0 else Passage(start, end))
        return found

    def passages_of(self, documents: Handles) -> Handles:
        """Return the handles of all passages of some documents. See `VectorView.passages_of`."""
        handles = [np.empty(0, dtype=np.int64)]
        for index, mask in enumerate(self.masks(documents)):
            rows = np.arange(len(self.parts[index])) if mask is None else np.flatnonzero(mask)
            handles.append(rows.astype(np.int64) | index << _ROW_BITS)
        return np.concatenate(handles)

    def vectors(self, leg: str, passages: Handles) -> NDArray[np.float32]:
        """See VectorView. Returns the original vectors if the leg keeps them."""
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
        """Return, for each part of the snapshot, the object that scores its rows in `leg`.

        BM25 uses the statistics of all passages whose documents are not deleted, so a score does
        not depend on the filter.
        """
        parts = [part.legs[leg] for part in self.parts]
        counted = [part for part in parts if is_counted(part)]
        if not counted:
            return parts
        total = self._statistics(leg, queries)
        return [Scored(part, total) for part in counted]

    def _statistics(self, leg: str, queries: Representation) -> TermStatistics:
        """Return the BM25 statistics of all passages whose documents are not deleted.

        Raises InvalidInputError unless the leg is lexical.
        """
        found = []
        for one in self.parts:
            part = one.legs[leg]
            if not is_counted(part):
                raise InvalidInputError(f"leg {leg!r} has no terms; name a lexical leg")
            found.append(part.statistics(queries, one.live))
        return TermStatistics.total(found)

    def _located(self, passages: Handles) -> Iterator[tuple[Part, int]]:
        """Yield, for each passage handle, its part and its row in this part."""
        for handle in passages.tolist():
            yield self.parts[handle >> _ROW_BITS], handle & _ROW


def rows_for(depth: int, spread: float, rows: int) -> int:
    """Return how many of the best rows of a part probably belong to `depth` different documents.

    spread: mean number of passages (rows) per document.
    rows:   number of rows in the part.
    """
    return min(rows, depth if spread == 1 else int(depth * spread * 1.2) + 1)


def _rows_of_documents(numbers: NDArray[np.int64], wanted: NDArray[np.int64]) -> Mask:
    """Return a mask of the rows whose documents are in `wanted`.

    numbers: document number of each row, ascending.
    """
    if len(wanted) * ROWS_PER_LOOKUP > len(numbers):
        return np.isin(numbers, wanted)
    mask = np.zeros(len(numbers), dtype=np.bool_)
    firsts = np.searchsorted(numbers, wanted, "left").tolist()
    lasts = np.searchsorted(numbers, wanted, "right").tolist()
    for first, last in zip(firsts, lasts, strict=True):
        mask[first:last] = True
    return mask


def _best_passages(
    part: Part,
    scorer: LegPart,
    queries: Representation,
    depth: int,
    mask: Mask | None,
    how: VectorSearch | None,
) -> Ranking:
    """Return the best passages of one part for each query, enough for `depth` documents.

    If fewer documents match, returns the passages of all of them.

    scorer: scores the rows of `part`.
    mask:   rows that may be returned; None: all.
    how:    recall target or parameters of approximate indexes; None: as configured.
    """
    rows = len(part)
    if rows == 0:
        return Ranking.empty(len(queries), 0)
    checkpoint()
    numbers = part.passages.numbers
    if how is not None and isinstance(scorer, Approximate):
        scorer = scorer.tuned(how)
    k = rows_for(depth, part.spread, rows)
    while True:
        ranking = scorer.search(queries, k, mask)
        if k == rows or part.spread == 1:
            return ranking
        if all(row[-1] < 0 or _count_distinct(numbers[row]) >= depth for row in ranking.rows):
            return ranking
        k = min(rows, 2 * k)


def _merged(found: Sequence[tuple[Part, Ranking, int]], depth: int) -> LegResult:
    """Return the best `depth` documents of one query.

    found: for each part of the snapshot, the part, its ranking, and the index of the query in the
        ranking.
    """
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
        # Keep only the best passage of each document.
        by_number = np.argsort(result.documents, kind="stable")
        repeated = np.diff(result.documents[by_number]) == 0
        result = result.take(np.delete(np.arange(len(by_number)), by_number[1:][repeated]))
    if len(result.documents) > depth:
        result = replace(result.take(np.arange(depth)), complete=False)
    return result


def _count_distinct(numbers: NDArray[np.int64]) -> int:
    ordered = np.sort(numbers)
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
