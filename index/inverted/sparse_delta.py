"""The delta of a sparse leg: an in-memory index of passages that are not in a segment yet."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ...core import Contribution, Representation, TermWeight
from ..arrays.offsets import Offsets
from ..multi import ungrouped
from ..protocol import Mask, Ranking
from . import maxsim
from .config import SparseLeg
from .log import LogState, PostingsLog, add_linked_weights
from .selection import Add, rank
from .sparse import contribution, query_terms, term_weights, vectors

_HEADER = struct.Struct("<II")
"""Number of dimensions and of weights. int32 indices and float32 weights follow."""


class SparseDelta:
    """A DeltaPart of a sparse leg: one vector for each passage that is not in a segment yet."""

    def __init__(self, config: SparseLeg) -> None:
        self._log = PostingsLog(np.float32)

    def __len__(self) -> int:
        return len(self._log.state.indptr) - 1

    def append(self, rows: Representation) -> None:
        """See DeltaPart. Raises ValueError if the dimensions differ from those of earlier rows."""
        matrix = vectors(rows)
        if matrix.shape[0] == 0:
            return
        known = len(self._log.state.heads)
        if known not in (0, matrix.shape[1]):
            raise ValueError(
                f"sparse vectors must have {known} dimensions, like those of earlier passages, "
                f"got {matrix.shape[1]}"
            )
        self._log.append(matrix.indices, matrix.data, np.diff(matrix.indptr), matrix.shape[1])

    def rows(self, keep: NDArray[np.int64]) -> Representation:
        """Return the rows with the numbers `keep`, in that order. See `DeltaPart.rows`."""
        state = self._log.state
        matrix = csr_array(
            (state.values, state.terms, state.indptr),
            shape=(len(state.indptr) - 1, len(state.heads)),
        )
        return Representation(sparse=matrix[keep])

    @property
    def weights(self) -> int:
        """Number of weights of all rows together."""
        return len(self._log.state.values)

    def read(self, start: int, stop: int) -> csr_array:
        """Return the vectors of rows `start` to `stop` (exclusive)."""
        state = self._log.state
        bounds = state.indptr[start : stop + 1]
        inside = slice(bounds[0], bounds[-1])
        return csr_array(
            (state.values[inside], state.terms[inside], bounds - bounds[0]),
            shape=(stop - start, len(state.heads)),
        )

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. Searches the first len(allowed) rows; if `allowed` is None, all rows."""
        state = self._log.state
        known = len(state.indptr) - 1 if allowed is None else len(allowed)
        terms = query_terms(queries, len(state.heads)) if known else ()
        return rank(terms, len(queries), k, known, allowed, _add(state))

    def max_sim(
        self, queries: Representation, offsets: Offsets, k: int, allowed: Mask | None
    ) -> Ranking:
        """Return the best k passages for each query. See `MaxSim.max_sim`."""
        state = self._log.state
        single, bounds = ungrouped(queries)
        terms = query_terms(single, len(state.heads)) if len(offsets) > 1 else ()
        return maxsim.rank(terms, bounds, k, offsets, allowed, _add(state))

    def explain(self, query: Representation, row: int) -> Sequence[Contribution]:
        """Return the contribution of each query term to the score of a row.

        See `LegPart.explain`.
        """
        state = self._log.state
        terms, weights = state.row(row)
        weight_of = dict(zip(terms.tolist(), weights.tolist(), strict=True))
        return [
            contribution(term, factor, weight_of[term])
            for numbers, factors in query_terms(query, len(state.heads))
            for term, factor in zip(numbers.tolist(), factors.tolist(), strict=True)
            if term in weight_of
        ]

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Return the terms of one row with their weights, heaviest first.

        See `LegPart.terms`.
        """
        return term_weights(*self._log.state.row(row))

    @staticmethod
    def pack(rows: Representation) -> list[bytes]:
        """Return each row as bytes for the database, without loss. See `DeltaPart.pack`."""
        matrix = vectors(rows)
        return [
            _HEADER.pack(matrix.shape[1], stop - start)
            + matrix.indices[start:stop].astype("<i4").tobytes()
            + matrix.data[start:stop].astype("<f4").tobytes()
            for start, stop in pairwise(matrix.indptr.tolist())
        ]

    @staticmethod
    def unpack(packed: Sequence[bytes]) -> Representation:
        """See DeltaPart. Raises ValueError if a row is damaged."""
        vocabularies = set()
        indptr = np.zeros(len(packed) + 1, dtype=np.int64)
        indices, weights = [], []
        for index, data in enumerate(packed):
            if len(data) < _HEADER.size:
                raise ValueError(
                    f"a stored sparse vector must have at least {_HEADER.size} bytes, "
                    f"got {len(data)}"
                )
            vocabulary, count = _HEADER.unpack_from(data)
            if len(data) != _HEADER.size + 8 * count:
                raise ValueError(
                    f"a stored sparse vector of {count} weights must have "
                    f"{_HEADER.size + 8 * count} bytes, got {len(data)}"
                )
            vocabularies.add(vocabulary)
            indptr[index + 1] = indptr[index] + count
            middle = _HEADER.size + 4 * count
            indices.append(np.frombuffer(data[_HEADER.size : middle], dtype="<i4"))
            weights.append(np.frombuffer(data[middle:], dtype="<f4"))
        if len(vocabularies) > 1:
            raise ValueError(
                "all stored sparse vectors must have the same number of dimensions, "
                f"got {sorted(vocabularies)}"
            )
        empty = np.empty(0, dtype=np.int32)
        matrix = csr_array(
            (
                np.concatenate([empty.astype(np.float32), *weights]),
                np.concatenate([empty, *indices]),
                indptr,
            ),
            shape=(len(packed), max(vocabularies, default=0)),
        )
        matrix.check_format(full_check=True)  # Checks that indices are in range.
        return Representation(sparse=matrix)


def _add(state: LogState) -> Add:
    return partial(add_linked_weights, state.heads, state.previous, state.rows, state.values)
