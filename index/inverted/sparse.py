"""A sparse leg in one segment: exact top k by dot product.

indptr.npy   int64 [vocabulary + 1]   offsets of the posting lists
rows.npy     int32 [postings]         row of each posting
weights.npy  float32 [postings]       weight of each posting
shape.npy    int64 [2]                number of rows, size of the vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from ...core import Contribution, InvalidInputError, Progress, Representation, TermWeight
from ..arrays.npy import NpyFile, save
from ..arrays.offsets import Offsets, block_end
from ..multi import ungrouped
from ..protocol import MAX_ROWS, Mask, Ranking, check_rows, check_single, heaviest_first, kept_rows
from . import maxsim
from .config import SparseLeg
from .postings import MERGE_BYTES, Block, Postings, PostingsWriter, join, new_numbers
from .scoring import add_weights
from .selection import QueryTerms, rank

BLOCK_POSTINGS = 1 << 20
"""Number of postings that `SparseSegment.read` reads at once."""

_NOTHING = np.empty(0, np.int32), np.empty(0, np.float32)


class SparseSegment:
    """A SegmentPart of a sparse leg: an inverted index of sparse vectors."""

    def __init__(self, rows: int, postings: Postings) -> None:
        self._rows = rows
        self._postings = postings
        self._add = partial(add_weights, postings.indptr, postings.rows, postings.values)

    def __len__(self) -> int:
        return self._rows

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: SparseLeg) -> None:
        """Write the files of a part with these rows into the empty `directory`.

        See `SegmentPart.build`.
        """
        check_rows(len(rows))
        columns: csc_array = vectors(rows).tocsc()
        _save_shape(directory, *columns.shape)
        with PostingsWriter(directory, "weights.npy", np.float32) as writer:
            writer.append(np.diff(columns.indptr), columns.indices, columns.data)

    @classmethod
    def open(cls, directory: Path, config: SparseLeg) -> Self:
        """Return the part stored in `directory`. See `SegmentPart.open`."""
        shape = NpyFile(directory / "shape.npy", np.int64)
        shape.check_below(MAX_ROWS + 1)
        if len(shape) != 2:
            raise ValueError(f"shape.npy must have 2 numbers, got {len(shape)}")
        rows, vocabulary = shape.array.tolist()
        weights = NpyFile(directory / "weights.npy", np.float32)
        return cls(rows, Postings(directory, weights, vocabulary, rows))

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: SparseLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """See SegmentPart. Merges blocks of terms; one long posting list may exceed `memory`."""
        kept = kept_rows(sources)
        numbers = list(new_numbers([(len(source), mask) for source, mask in sources]))
        lists = [source._postings for source, _ in sources]
        vocabulary = lists[0].terms
        _save_shape(directory, kept, vocabulary)
        before = np.zeros(vocabulary + 1, dtype=np.int64)
        for postings in lists:  # numpy.sum would first copy all into one array.
            before += postings.indptr
        room = max(1, memory // MERGE_BYTES)
        with PostingsWriter(directory, "weights.npy", np.float32) as writer:
            first = 0
            while first < vocabulary:
                last = block_end(before, first, room)
                blocks = [
                    postings.read(first, last).renumber(new)
                    for postings, new in zip(lists, numbers, strict=True)
                ]
                merged = join(blocks)
                lengths = np.bincount(merged.terms, minlength=last - first)
                writer.append(lengths, merged.rows, merged.values)
                first = last

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """Return the best k rows for each query among rows where `allowed` is true (None: all).

        See `LegPart.search`.
        """
        return rank(
            query_terms(queries, self._postings.terms),
            len(queries),
            k,
            self._rows,
            allowed,
            self._add,
            self._postings,
        )

    def max_sim(
        self, queries: Representation, offsets: Offsets, k: int, allowed: Mask | None
    ) -> Ranking:
        """Return the best k passages for each query. See `MaxSim.max_sim`."""
        single, bounds = ungrouped(queries)
        terms = query_terms(single, self._postings.terms)
        return maxsim.rank(terms, bounds, k, offsets, allowed, self._add)

    @property
    def weights(self) -> int:
        """Number of weights of all rows together."""
        return len(self._postings.values)

    def read(self, start: int, stop: int) -> csr_array:
        """Return the vectors of rows `start` to `stop` (exclusive). Reads all posting lists."""
        found: list[Block] = []
        first, room = 0, BLOCK_POSTINGS
        while first < self._postings.terms:
            last = block_end(self._postings.indptr, first, room)
            block = self._postings.read(first, last)
            chosen = (block.rows >= start) & (block.rows < stop)
            found.append(
                Block(block.terms[chosen] + first, block.rows[chosen], block.values[chosen])
            )
            first = last
        every = join(found) if found else Block(np.empty(0, np.int64), *_NOTHING)
        order = np.argsort(every.rows, kind="stable")
        lengths = np.bincount(every.rows - start, minlength=stop - start)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        columns = every.terms[order].astype(np.int32)
        return csr_array(
            (every.values[order], columns, indptr), shape=(stop - start, self._postings.terms)
        )

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return the contribution of each query term to the score of a row.

        See `LegPart.explain`.
        """
        return [
            contribution(term, factor, float(self._postings.values[posting]))
            for terms, factors in query_terms(query, self._postings.terms)
            for term, factor, posting in zip(
                terms.tolist(),
                factors.tolist(),
                self._postings.find(row, terms).tolist(),
                strict=True,
            )
            if posting >= 0
        ]

    def terms(self, row: int) -> Sequence[TermWeight]:
        """See LegPart. Takes milliseconds, because it searches every posting list."""
        terms, postings = self._postings.terms_of(row)
        return term_weights(terms, self._postings.values[postings])


def vectors(representation: Representation) -> csr_array:
    """Return the sparse vectors of a batch, one per text.

    Raises InvalidInputError if the batch has no sparse vectors, or several vectors for each text.
    """
    if representation.sparse is None:
        raise InvalidInputError(
            "a sparse leg requires sparse vectors: use an encoder that returns them", field="sparse"
        )
    check_single(representation)
    return representation.sparse


def query_terms(queries: Representation, vocabulary: int) -> list[QueryTerms]:
    """Return the non-zero dimensions of each query as term numbers, with their weights.

    Raises InvalidInputError if the queries do not have `vocabulary` dimensions.
    """
    matrix = vectors(queries)
    if matrix.shape[1] != vocabulary:
        raise InvalidInputError(
            f"query vectors must have {vocabulary} dimensions, like the index, "
            f"got {matrix.shape[1]}: use the encoder that the index was built with",
            field="sparse",
        )
    terms, weights = matrix.indices.astype(np.int64), matrix.data.astype(np.float32)
    bounds = pairwise(matrix.indptr.tolist())
    return [(terms[start:stop], weights[start:stop]) for start, stop in bounds]


def contribution(term: int, query: float, document: float) -> Contribution:
    """Return the contribution of dimension `term` to a dot product.

    query, document: weight of the dimension in the query and in the document.
    """
    return Contribution(str(term), query * document, query, document)


def term_weights(terms: NDArray[Any], weights: NDArray[np.float32]) -> list[TermWeight]:
    """Return the non-zero dimensions of one vector with their weights, heaviest first."""
    return heaviest_first(
        TermWeight(str(term), weight)
        for term, weight in zip(terms.tolist(), weights.tolist(), strict=True)
    )


def _save_shape(directory: Path, rows: int, vocabulary: int) -> None:
    save(directory / "shape.npy", np.array([rows, vocabulary], dtype=np.int64))
