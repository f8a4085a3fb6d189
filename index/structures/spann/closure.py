"""Which lists a vector goes into: the nearest head's, and those that lie in other directions.

Heads are looked at from the nearest on. Head c is accepted if

    d(x, c) <= (1 + epsilon) d(x, c1)               c1 the nearest (the paper's test, optional)
    d(c, a) >= d(x, c)  for every accepted head a   (the rule of relative neighbourhood graphs)

until enough are. d is the squared Euclidean distance, as in SPTAG, so 1 + epsilon is squared too.
A head that is nearer to an accepted one than to x would be reached by about the same queries.
(Chen et al., SPANN, NeurIPS 2021, section 3.2; Toussaint 1980 for the rule.)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ...compiling import summing

Lists = NDArray[np.int64]


def close(
    vectors: Vectors, heads: Vectors, candidates: Lists, replicas: int, epsilon: float | None
) -> tuple[Lists, Vectors]:
    """The lists of each vector, nearest first, int64 [n, replicas] padded with -1, and the squared
    distances of their heads, float32 [n, replicas].

    vectors: float32 [n, d]; heads: float32 [h, d]; candidates: int64 [n, c], numbers of heads in
    any order, all different, -1 for none. A vector with a candidate is in a list.
    """
    shape = (len(vectors), replicas)
    lists = np.full(shape, -1, dtype=np.int64)
    distances = np.full(shape, np.inf, dtype=np.float32)
    bound = math.inf if epsilon is None else 1 + epsilon
    _close(vectors, heads, candidates, np.float32(bound), lists, distances)
    return lists, distances


@summing
def _distance(a: Vectors, b: Vectors) -> np.float32:
    total = np.float32(0)
    for axis in range(a.shape[0]):
        step = a[axis] - b[axis]
        total += step * step
    return total


@summing
def _close(
    vectors: Vectors,
    heads: Vectors,
    candidates: Lists,
    bound: np.float32,
    lists: Lists,
    distances: Vectors,
) -> None:
    order = np.empty(candidates.shape[1], dtype=np.int64)
    near = np.empty(candidates.shape[1], dtype=np.float32)
    for row in range(vectors.shape[0]):
        # Sorted by insertion: they come in nearly the right order.
        known = 0
        for place in range(candidates.shape[1]):
            head = candidates[row, place]
            if head < 0:
                continue
            distance = _distance(vectors[row], heads[head])
            at = known
            while at > 0 and (
                near[at - 1] > distance or (near[at - 1] == distance and order[at - 1] > head)
            ):
                near[at], order[at] = near[at - 1], order[at - 1]
                at -= 1
            near[at], order[at] = distance, head
            known += 1
        accepted = 0
        for place in range(known):
            if accepted == lists.shape[1] or (accepted > 0 and near[place] > bound * near[0]):
                break
            apart = True
            for other in range(accepted):
                if _distance(heads[order[place]], heads[lists[row, other]]) < near[place]:
                    apart = False
                    break
            if apart:
                lists[row, accepted], distances[row, accepted] = order[place], near[place]
                accepted += 1
