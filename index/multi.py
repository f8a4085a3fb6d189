"""Indexes of legs with several vectors for each passage, by MaxSim (Khattab and Zaharia 2020).

A part is the index of one leg in one segment or in the delta. The score of passage p for query q:

    score(q, p) = sum over the vectors u of q (maximum over the vectors v of p (product of u and v))

A part of such a leg wraps an index of single vectors. A row of the part is a passage, as in every
leg; a row of the wrapped index is one vector. An array of offsets maps each passage to its vectors.
In a sparse leg, a query vector adds nothing to the score of a passage if it shares no term with any
vector of the passage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from ..core import Contribution, InvalidInputError, Progress, Representation, TermWeight
from ..core.errors import shown
from .arrays.growing import GrowingArray
from .arrays.npy import NpyFile, NpyWriter, save
from .arrays.offsets import Offsets, of_lengths, ranges
from .protocol import DeltaPart, LegPart, Mask, Ranking, SegmentPart, heaviest_first

FILE = "offsets.npy"

_NUMBER = struct.Struct("<I")


class MaxSim(Protocol):
    """The method with which an index of single vectors ranks passages with several vectors."""

    def max_sim(
        self, queries: Representation, offsets: Offsets, k: int, allowed: Mask | None
    ) -> Ranking:
        """Return the best k passages for each query. The rows of the result are passages.

        queries: encoded queries, each with one or several vectors.
        offsets: passage p has the vectors offsets[p] to offsets[p + 1] (exclusive). Vectors after
            the last offset are ignored.
        allowed: mask of the passages that may be returned. None: all.
        """


class SingleSegment(SegmentPart, MaxSim, Protocol):
    """An index of single vectors in a segment, wrapped by `MultiSegment`. A row is one vector."""


class SingleDelta(DeltaPart, MaxSim, Protocol):
    """An index of single vectors in the delta, wrapped by `MultiDelta`. A row is one vector."""


class MultiSegment:
    """The index of a leg with several vectors for each passage, in one segment.

    It wraps an index of single vectors, whose class is `single`. The directory contains the files
    of the wrapped index, and:

    offsets.npy  int64 [passages + 1]  passage p has the vectors offsets[p] to offsets[p + 1]
    """

    single: ClassVar[type[SingleSegment]]

    def __init__(self, vectors: SingleSegment, offsets: NpyFile[np.int64]) -> None:
        self._vectors = vectors
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: Any) -> None:
        """Write the files of a part with these rows into the empty `directory`.

        See `SegmentPart.build`.
        """
        vectors, offsets = ungrouped(rows)
        cls.single.build(directory, vectors, config)
        save(directory / FILE, offsets)

    @classmethod
    def open(cls, directory: Path, config: Any) -> Self:
        """Return the part stored in `directory`. See `SegmentPart.open`."""
        vectors = cls.single.open(directory, config)
        offsets = NpyFile(directory / FILE, np.int64)
        offsets.check_offsets(len(offsets) - 1, len(vectors), empty=False)
        return cls(vectors, offsets)

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

        See `SegmentPart.merge`.
        """
        lengths = [np.diff(source._offsets.read(0, len(source) + 1)) for source, _ in sources]
        masks = [mask for _, mask in sources]
        vectors = [
            (source._vectors, None if mask is None else np.repeat(mask, own))
            for (source, mask), own in zip(sources, lengths, strict=True)
        ]
        cls.single.merge(directory, vectors, config, memory, progress)
        begin = 0
        with NpyWriter(directory / FILE, np.int64) as writer:
            writer.append(np.zeros(1, dtype=np.int64))
            for own, mask in zip(lengths, masks, strict=True):
                ends = begin + np.cumsum(own if mask is None else own[mask])
                writer.append(ends)
                begin = int(ends[-1]) if len(ends) else begin

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """Return the best k rows for each query among rows where `allowed` is true (None: all).

        See `LegPart.search`.
        """
        return self._vectors.max_sim(queries, self._offsets.array, k, allowed)

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return the contribution of each query term to the score of a row. See `explained`."""
        return explained(self._vectors, _rows_of(self._offsets.array, row), query)

    def terms(self, row: int) -> Sequence[TermWeight]:
        """See LegPart. The weight of a term is its greatest weight in a vector of the passage."""
        return greatest(self._vectors, _rows_of(self._offsets.array, row))


class MultiDelta:
    """The index in memory (delta) of a leg with several vectors for each passage.

    It wraps an index of single vectors, whose class is `single`.
    """

    single: ClassVar[type[SingleDelta]]

    def __init__(self, config: Any) -> None:
        self._vectors = self.single(config)
        self._offsets = GrowingArray(np.int64)
        self._offsets.append(np.zeros(1, dtype=np.int64))

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def append(self, rows: Representation) -> None:
        """Add rows at the end. See `DeltaPart.append`."""
        vectors, offsets = ungrouped(rows)
        begin = len(self._vectors)
        self._vectors.append(vectors)  # Before the offsets, through which readers find them.
        self._offsets.append(begin + offsets[1:])

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """Return the rows with the numbers `keep`, in that order. See `DeltaPart.rows`."""
        starts, stops = self._offsets.values[keep], self._offsets.values[keep + 1]
        vectors = self._vectors.rows(ranges(starts, stops))
        return Representation(vectors.dense, vectors.sparse, offsets=of_lengths(stops - starts))

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. The search covers the first len(allowed) passages."""
        known = self._offsets.values
        if allowed is not None:
            known = known[: len(allowed) + 1]
        return self._vectors.max_sim(queries, known, k, allowed)

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return the contribution of each query term to the score of a row. See `explained`."""
        return explained(self._vectors, _rows_of(self._offsets.values, row), query)

    def terms(self, row: int) -> Sequence[TermWeight]:
        """See LegPart. The weight of a term is its greatest weight in a vector of the passage."""
        return greatest(self._vectors, _rows_of(self._offsets.values, row))

    @classmethod
    def pack(cls, rows: Representation) -> list[bytes]:
        """See DeltaPart. A packed row has its number of vectors, their lengths, and the vectors.

        A length is the number of bytes of a packed vector.
        """
        vectors, offsets = ungrouped(rows)
        pieces = cls.single.pack(vectors)
        packed = []
        for passage in range(len(offsets) - 1):
            own = pieces[offsets[passage] : offsets[passage + 1]]
            lengths = b"".join(_NUMBER.pack(len(piece)) for piece in own)
            packed.append(_NUMBER.pack(len(own)) + lengths + b"".join(own))
        return packed

    @classmethod
    def unpack(cls, packed: Sequence[bytes]) -> Representation:
        """See DeltaPart. Raises ValueError for a damaged passage."""
        passages = [list(_split(data)) for data in packed]
        vectors = cls.single.unpack([piece for own in passages for piece in own])
        offsets = of_lengths([len(own) for own in passages])
        return Representation(vectors.dense, vectors.sparse, offsets=offsets)


def ungrouped(texts: Representation) -> tuple[Representation, Offsets]:
    """Return the vectors of all texts with one vector per row, and the offsets of the texts.

    Text t has the vectors offsets[t] to offsets[t + 1] (exclusive). If `texts` has no offsets, each
    text has one vector.

    Raises InvalidInputError if a text has no vector, or a vector belongs to no text.
    """
    vectors = Representation(texts.dense, texts.sparse)
    if texts.offsets is None:
        return vectors, np.arange(len(texts) + 1)
    offsets = np.asarray(texts.offsets, dtype=np.int64)
    counts = {part.shape[0] for part in (texts.dense, texts.sparse) if part is not None}
    if len(offsets) == 0 or offsets[0] != 0 or (np.diff(offsets) < 1).any():
        raise InvalidInputError(
            "must start at 0 and increase with each text, because a text has at least one vector; "
            f"got {shown(offsets.tolist())}",
            field="offsets",
        )
    if counts - {int(offsets[-1])}:
        raise InvalidInputError(
            f"must end at the number of vectors ({max(counts)}), got {offsets[-1]}", field="offsets"
        )
    return vectors, offsets


def explained(vectors: LegPart, rows: range, query: Representation) -> list[Contribution]:
    """Return the contribution of each term to the MaxSim score of one passage.

    vectors: an index of single vectors.
    rows:    the rows of the passage in `vectors`.

    For each query vector, the function finds the best row: the one with the greatest inner product.
    The fields of a term's Contribution are:

    - score: sum of the term's contributions to these inner products.
    - query: sum of the term's weights in the query vectors.
    - document: mean of the term's weights in the best rows, weighted by its weights in the query
      vectors. The term's score is therefore its `query` times its `document`.

    The result is empty for a dense leg.
    """
    totals: dict[str, tuple[float, float]] = {}
    query_vectors, offsets = ungrouped(query)
    for number in range(int(offsets[-1])):
        one = query_vectors.at(number)
        best = max((vectors.explain(one, row) for row in rows), key=_total)
        for term in best:
            score, weight = totals.get(term.term, (0.0, 0.0))
            totals[term.term] = (score + term.score, weight + term.query)
    return [
        Contribution(term, score, weight, score / weight if weight else 0.0)
        for term, (score, weight) in totals.items()
    ]


def greatest(vectors: LegPart, rows: range) -> list[TermWeight]:
    """Return the terms of one passage, each with its greatest weight in a vector of the passage.

    vectors: an index of single vectors.
    rows:    the rows of the passage in `vectors`.

    The terms are sorted by descending weight.
    """
    weights: dict[str, float] = {}
    for row in rows:
        for term in vectors.terms(row):
            weights[term.term] = max(term.weight, weights.get(term.term, term.weight))
    return heaviest_first(TermWeight(term, weight) for term, weight in weights.items())


def _total(terms: Sequence[Contribution]) -> float:
    return sum(term.score for term in terms)


def _rows_of(offsets: Offsets, number: int) -> range:
    return range(int(offsets[number]), int(offsets[number + 1]))


def _split(data: bytes) -> Iterator[bytes]:
    """Yield the bytes of each vector in `data`, a passage that `MultiDelta.pack` returned.

    Raises ValueError for damaged data.
    """
    count = _NUMBER.unpack_from(data)[0] if len(data) >= _NUMBER.size else 0
    begin = _NUMBER.size * (1 + count)
    if count == 0 or len(data) < begin:
        raise ValueError(f"a packed passage of {len(data)} bytes cannot contain {count} vectors")
    lengths = [_NUMBER.unpack_from(data, _NUMBER.size * (1 + i))[0] for i in range(count)]
    if len(data) != begin + sum(lengths):
        raise ValueError(
            f"expected {sum(lengths)} bytes of packed vectors, found {len(data) - begin}"
        )
    for length in lengths:
        yield data[begin : begin + length]
        begin += length
