"""What storing vectors in fewer bytes has lost, measured when a segment is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors, VectorSource
from .projection import Projection
from .protocol import Codec

VECTORS = 10_000
QUERIES = 200
K = 10
_TIE = 1e-6
"""Scores that differ by less, relatively to the largest, are equal up to rounding."""

RoundTrip = Callable[[Vectors], Vectors]
"""float32 [n, d] -> what is left of these vectors, float32 [n, d]."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Means over a sample of the vectors.

    squared_error: |x - y|^2 / |x|^2 for a vector x and what is left of it, y.
    cosine:        of x and y.
    recall_at_10:  share of the 10 nearest (by inner product, in the sample) that are still among
                   the 10 nearest, for queries as they were and vectors as they are left, before
                   anything is rescored. Queries are vectors of the sample; none finds itself.
    vectors, queries: how many there were.
    """

    squared_error: float
    cosine: float
    recall_at_10: float
    vectors: int
    queries: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def round_trip(codec: Codec | None, projection: Projection | None) -> RoundTrip:
    """Projected, coded and back."""

    def left(vectors: Vectors) -> Vectors:
        short = vectors if projection is None else projection.apply(vectors)
        short = short if codec is None else codec.decode(codec.encode(short))
        return short if projection is None else projection.lift(short)

    return left


def measure(
    left: RoundTrip,
    source: VectorSource,
    fitted: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Loss:
    """What `left` leaves of the vectors of `source`.

    fitted: numbers of the vectors that it was fitted on. They are not measured where there are
            enough others.
    """
    vectors = source.take(_sample(len(source), fitted, seed))
    return compare(vectors, left(vectors))


def compare(vectors: Vectors, after: Vectors) -> Loss:
    """Vectors and what is left of them, both float32 [n, d]; the first ones are the queries."""
    squares = np.square(vectors).sum(axis=1)
    product = (vectors * after).sum(axis=1)
    lengths = np.sqrt(squares * np.square(after).sum(axis=1))
    errors = np.square(vectors - after).sum(axis=1)
    long = squares > 0
    queries = min(QUERIES, len(vectors))
    return Loss(
        squared_error=_mean(errors[long] / squares[long]),
        cosine=_mean(product[lengths > 0] / lengths[lengths > 0]),
        recall_at_10=_recall(vectors[:queries], vectors, after),
        vectors=len(vectors),
        queries=queries,
    )


def _sample(rows: int, fitted: NDArray[np.int64] | None, seed: int) -> NDArray[np.int64]:
    """Row numbers in random order: the first of them are the queries."""
    others = np.ones(rows, dtype=np.bool_)
    if fitted is not None and rows - len(fitted) >= VECTORS:
        others[fitted] = False
    chosen = np.flatnonzero(others)
    return np.random.default_rng(seed).permutation(chosen)[:VECTORS]


def _recall(queries: Vectors, before: Vectors, after: Vectors) -> float:
    """Query i is the vector i before."""
    k = min(K, len(before) - 1)
    if k < 1:
        return 1.0
    itself = np.arange(len(queries))
    exact, now = queries @ before.T, queries @ after.T
    exact[itself, itself] = now[itself, itself] = -np.inf
    found = np.take_along_axis(exact, np.argpartition(-now, k - 1, axis=1)[:, :k], axis=1)
    least = -np.partition(-exact, k - 1, axis=1)[:, k - 1 : k]
    return _mean(found >= least - _TIE * np.abs(least))


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean(dtype=np.float64)) if values.size else 0.0
