"""Ratio of the lengths of vectors before and after a lossy step."""

from __future__ import annotations

import numpy as np

from ..arrays.vectors import Vectors


def length_ratio(before: Vectors, after: Vectors) -> Vectors:
    """Return |before| / |after| for each row, float32 [n, 1]; 0 where |after| is 0."""
    was = np.linalg.norm(before, axis=1, keepdims=True)
    now = np.linalg.norm(after, axis=1, keepdims=True)
    ratio: Vectors = np.divide(was, now, out=np.zeros_like(now), where=now > 0)
    return ratio
