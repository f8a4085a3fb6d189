"""Candidates of a structure, in the order of their exact scores."""

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


def find(
    structure: Structure,
    projection: Projection | None,
    vectors: Originals | None,
    queries: Vectors,
    k: int,
    parameters: Parameters,
    allowed: Mask | None,
) -> Ranking:
    """The best k candidates of a structure, rescored from `vectors` if the parameters say so."""
    oversample = parameters.get("oversample", 0)
    projected = queries if projection is None else projection.apply(queries)
    number = min(k * max(1, oversample), max(k, len(structure)))
    found = structure.search(projected, number, parameters, allowed)
    if oversample and vectors is not None:
        vectors.expect(found.rows)
        return rescored(found, queries, vectors.array, k)
    return ordered(found.rows, found.scores, k)


def rescored(candidates: Ranking, queries: Vectors, vectors: Stored, k: int) -> Ranking:
    """The best k of the candidates by inner product with `vectors`; ties by row, ascending."""
    return ordered(candidates.rows, dot_rows(queries, vectors, candidates.rows), k)


def ordered(rows: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Ranking:
    """The best k of each line; ties by row, ascending."""
    if len(rows) == 1:  # Sorting one line as a vector takes half as long.
        order: NDArray[Any] = np.lexsort((rows[0], -scores[0]))[:k]
        return Ranking(rows[:, order], scores[:, order])
    order = np.lexsort((rows, -scores), axis=-1)[:, :k]
    return Ranking(
        np.take_along_axis(rows, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
    )
