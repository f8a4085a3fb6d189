"""Feedback on dense vectors: the query vector is moved towards the vectors of the best passages."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def moved(query: Vector, passages: NDArray[np.float32], weight: float | None) -> Vector:
    """Return a query vector that is moved towards the mean of passage vectors.

        moved = (1 - weight) * q + weight * mean(d_1..d_k)

    query:    float32 [d].
    passages: float32 [k, d], k >= 1.
    weight:   share of the passages (Rocchio); None: k / (k + 1), so that the result is the mean of
              the query and the passages ("average").

    `moved` is scaled to the Euclidean length of the query, so that scores keep their range. The
    papers do not scale it. A zero vector is returned as it is. Sources: Li et al. 2021, "Improving
    Query Representations for Dense Retrieval with Pseudo Relevance Feedback: A Reproducibility
    Study", and "Pseudo Relevance Feedback with Deep Language Models and Dense Retrievers".
    """
    share = len(passages) / (len(passages) + 1) if weight is None else weight
    wide = query.astype(np.float64)
    result = (1 - share) * wide + share * passages.mean(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(result))
    if length > 0:
        result *= float(np.linalg.norm(wide)) / length
    moved_vector: Vector = result.astype(np.float32)
    return moved_vector
