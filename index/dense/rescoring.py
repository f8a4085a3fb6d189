"""Rescoring: candidates of an index, ordered by exact scores."""

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
    """Search an index and return the best k candidates for each query.

    projection: applied to the queries; None: no projection. vectors: originals for rescoring.
    Rescores if `vectors` are given and `parameters` has an "oversample" above 0.
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
    """Return the best k candidates by inner product with `vectors`; ties by row, ascending."""
    return ordered(candidates.rows, dot_rows(queries, vectors, candidates.rows), k)


def ordered(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Ranking:
    """Return the best k rows and scores of each query, best first; ties by row, ascending."""
    if len(rows) == 1:  # Sorting a vector takes half the time.
        order: NDArray[Any] = np.lexsort((rows[0], -scores[0]))[:k]
        return Ranking(rows[:, order], scores[:, order])
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return Ranking(
        np.take_along_axis(rows, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
    )
