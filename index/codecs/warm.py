"""Compile the kernels of codecs, or load them from the cache, before the first query."""

from __future__ import annotations

import numpy as np

from .floats import Float16
from .gather import dot_rows


def warm() -> None:
    """Compile the kernels by running each once.

    Takes seconds on a new machine. Later calls load the compiled kernels from a cache on disk,
    which takes tens of milliseconds.
    """
    vectors = np.eye(2, 8, dtype=np.float32)
    codec = Float16.fit(vectors)
    codec.score(vectors[:1], codec.encode(vectors))
    for matrix in (vectors.astype(np.float16), vectors.copy()):
        matrix.flags.writeable = False  # Like a mapped file.
        dot_rows(vectors, matrix, np.zeros((2, 1), dtype=np.int64))
