"""MaxSim of sparse vectors: for each query vector, the best score among the vectors of a passage.

The score of a passage is the sum of these best scores over all vectors of the query.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice, pairwise

import numpy as np

from ..arrays.offsets import Offsets
from ..protocol import Mask, Ranking
from .selection import Add, QueryTerms, pool, select


def rank(
    vectors: Iterable[QueryTerms],
    bounds: Offsets,
    k: int,
    offsets: Offsets,
    allowed: Mask | None,
    add: Add,
) -> Ranking:
    """Return the best k passages for each query.

    A row is one vector of a passage.

    vectors: the vectors of all queries.
    bounds:  query i has vectors bounds[i] to bounds[i + 1].
    offsets: passage p has rows offsets[p] to offsets[p + 1].
    allowed: mask of passages; None: all.
    add:     adds the scores of all rows for one query vector to an accumulator.
    """
    passages, rows = len(offsets) - 1, int(offsets[-1])
    ranking = Ranking.empty(len(bounds) - 1, k)
    if allowed is not None and len(allowed) != passages:
        raise ValueError(
            f"`allowed` must have {passages} elements, one per passage, got {len(allowed)}"
        )
    if passages == 0:
        return ranking
    products = np.empty(rows, dtype=np.float32)
    rest = iter(vectors)
    for index, (start, stop) in enumerate(pairwise(bounds.tolist())):
        scratch = pool.acquire(passages)
        accumulator = scratch.accumulator(passages)
        for terms, factors in islice(rest, stop - start):
            if len(terms):
                products.fill(0)
                add(terms, factors, products)
                accumulator[:passages] += np.maximum.reduceat(products, offsets[:-1])
        into = (ranking.rows[index], ranking.scores[index])
        select(accumulator, scratch.keys, k, allowed, None, into)
        pool.release(scratch)
    return ranking
