"""Loss of precision by a codec and a projection, measured when a segment is built."""

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
"""Maximum number of vectors measured."""
QUERIES = 200
"""Maximum number of queries for the recall."""
K = 10
_TIE = 1e-6
"""Scores count as tied if they differ by less than this share of the k-th best score."""

RoundTrip = Callable[[Vectors], Vectors]
"""float32 [n, d] -> the same vectors after projecting, coding and decoding, float32 [n, d]."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss of precision by a round trip, measured on a sample of vectors.

    The round trip (projecting, encoding, decoding) turns a vector x into y.

    squared_error: mean of |x - y|^2 / |x|^2.
    cosine:        mean cosine similarity of x and y.
    recall_at_10:  share of the 10 nearest vectors (by inner product, in the sample) that stay
                   among the 10 nearest after the round trip, without rescoring. Queries are vectors
                   of the sample, without the round trip. A query is not a neighbour of itself.
    vectors:       number of vectors measured.
    queries:       number of queries for recall_at_10.
    """

    squared_error: float
    cosine: float
    recall_at_10: float
    vectors: int
    queries: int

    def as_json(self) -> dict[str, Any]:
        """Return the fields as a JSON object."""
        return asdict(self)


def round_trip(codec: Codec | None, projection: Projection | None) -> RoundTrip:
    """Return a function that projects, encodes and decodes vectors, then undoes the projection.

    codec:      encodes and decodes the vectors. None: they are not encoded.
    projection: projects the vectors. None: they are not projected.
    """

    def restored(vectors: Vectors) -> Vectors:
        short = vectors if projection is None else projection.apply(vectors)
        short = short if codec is None else codec.decode(codec.encode(short))
        return short if projection is None else projection.lift(short)

    return restored


def measure(
    trip: RoundTrip,
    source: VectorSource,
    fitted: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Loss:
    """Measure the loss of a round trip on a random sample of `source`.

    The sample excludes the rows in `fitted` if at least VECTORS other rows exist.

    trip:   function that maps vectors to vectors after the round trip, from `round_trip`.
    fitted: numbers of the rows that the codec was fitted on; None: unknown.
    seed:   seed of the sample.
    """
    vectors = source.take(_sample(len(source), fitted, seed))
    return compare(vectors, trip(vectors))


def compare(vectors: Vectors, after: Vectors) -> Loss:
    """Return the loss of a round trip that turned `vectors` into `after`, both float32 [n, d].

    The first QUERIES vectors serve as queries.
    """
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
    """Return at most VECTORS row numbers to measure, in random order. See `measure`."""
    others = np.ones(rows, dtype=np.bool_)
    if fitted is not None and rows - len(fitted) >= VECTORS:
        others[fitted] = False
    chosen = np.flatnonzero(others)
    return np.random.default_rng(seed).permutation(chosen)[:VECTORS]


def _recall(queries: Vectors, before: Vectors, after: Vectors) -> float:
    """Return `Loss.recall_at_10` of a round trip from `before` to `after`.

    Query i is row i of `before`.
    """
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
