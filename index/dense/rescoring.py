"""Rescoring: orders the candidates that an index returns by their exact scores."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Stored, Vectors
from ..codecs.gather import dot_rows
from ..codecs.projection import Projection
from ..protocol import Mask, Ranking
from ..structures.originals import Originals
from ..structures.protocol import Parameters, Structure


def search_candidates(
    structure: Structure,
    projection: Projection | None,
    vectors: Originals | None,
    queries: Vectors,
    k: int,
    parameters: Parameters,
    allowed: Mask | None,
) -> Ranking:
    """Search the index `structure` and return the best k rows for each query.

    projection: applied to the queries; None: the index has vectors in all dimensions.
    vectors: the vectors as encoded (the originals), for rescoring; None: not stored.
    parameters: search parameters. If "oversample" is above 0 and there are originals, the search
        takes "oversample" times k candidates and rescores them.
    allowed: mask of the rows that may be returned; None: all.
    """
    oversample = parameters.get("oversample", 0)
    projected = queries if projection is None else projection.apply(queries)
    number = min(k * max(1, oversample), max(k, len(structure)))
    found = structure.search(projected, number, parameters, allowed)
    if oversample and vectors is not None:
        vectors.expect(found.rows)
        return rescored(found, queries, vectors.array, k)
    return ordered(found.rows, found.scores, k)


def rescored(candidates: Ranking, queries: Vectors, vectors: Stored, k: int) -> Ranking:
    """Return the best k candidates by inner product of queries and `vectors`.

    Ties are ordered by row, ascending.

    vectors: the stored vectors, by row.
    """
    return ordered(candidates.rows, dot_rows(queries, vectors, candidates.rows), k)


def ordered(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Ranking:
    """Return the k candidates with the best scores for each query. Ties are ordered by row.

    rows, scores: row number and score of each candidate, [queries, candidates].
    """
    if len(rows) == 1:  # Sorting a vector takes half the time.
        order: NDArray[Any] = np.lexsort((rows[0], -scores[0]))[:k]
        return Ranking(rows[:, order], scores[:, order])
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return Ranking(
        np.take_along_axis(rows, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
    )
