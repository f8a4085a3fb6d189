"""Assignment of vectors to lists: the list of the nearest head, and lists in other directions.

A head is the vector that represents a list.

Heads are tested from the nearest to the farthest, until enough are accepted. Head c is accepted for
vector x if

    d(x, c) <= (1 + epsilon) d(x, c1)               c1: the nearest head (optional test)
    d(c, a) >= d(x, c)  for every accepted head a   (the rule of relative neighbourhood graphs)

d is the squared Euclidean distance, as in SPTAG, so 1 + epsilon applies to squared distances. The
second test rejects a head that is nearer to an accepted head than to x: about the same queries
would reach both lists. Sources: Chen et al., SPANN, NeurIPS 2021, section 3.2; Toussaint 1980.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ...compiling import summing

Lists = NDArray[np.int64]


def assign(
    vectors: Vectors, heads: Vectors, candidates: Lists, replicas: int, epsilon: float | None
) -> tuple[Lists, Vectors]:
    """Return the lists that store each vector, and the squared distances to the heads of the lists.

    vectors:    float32 [n, d].
    heads:      float32 [h, d].
    candidates: distinct head numbers in any order, int64 [n, c]; -1 is ignored.
    replicas:   maximum number of lists per vector.
    epsilon:    bound of the first test in the module docstring; None: skip this test.

    Returns the lists, int64 [n, replicas], nearest first and padded with -1, and the distances,
    float32 [n, replicas], padded with infinity. A vector with at least one candidate is in at least
    one list.
    """
    shape = (len(vectors), replicas)
    lists = np.full(shape, -1, dtype=np.int64)
    distances = np.full(shape, np.inf, dtype=np.float32)
    bound = math.inf if epsilon is None else 1 + epsilon
    _assign(vectors, heads, candidates, np.float32(bound), lists, distances)
    return lists, distances


@summing
def _distance(a: Vectors, b: Vectors) -> np.float32:
    total = np.float32(0)
    for axis in range(a.shape[0]):
        step = a[axis] - b[axis]
        total += step * step
    return total


@summing
def _assign(
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
        # Insertion sort, because the candidates are almost sorted.
        known = 0
        for index in range(candidates.shape[1]):
            head = candidates[row, index]
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
        for index in range(known):
            if accepted == lists.shape[1] or (accepted > 0 and near[index] > bound * near[0]):
                break
            apart = True
            for other in range(accepted):
                if _distance(heads[order[index]], heads[lists[row, other]]) < near[index]:
                    apart = False
                    break
            if apart:
                lists[row, accepted], distances[row, accepted] = order[index], near[index]
                accepted += 1
