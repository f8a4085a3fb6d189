"""MaxSim of sparse vectors: the products of one query vector with all rows, then the maxima."""

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
    """The best k passages for each query; see `MaxSim.max_sim`.

    vectors: the vectors of the queries, one after another.
    """
    passages, rows = len(offsets) - 1, int(offsets[-1])
    ranking = Ranking.empty(len(bounds) - 1, k)
    if allowed is not None and len(allowed) != passages:
        raise ValueError(f"a mask of {len(allowed)} rows for a part of {passages}")
    if passages == 0:
        return ranking
    products = np.empty(rows, dtype=np.float32)
    rest = iter(vectors)
    for index, (start, stop) in enumerate(pairwise(bounds.tolist())):
        scratch = pool.take(passages)
        accumulator = scratch.accumulator(passages)
        for terms, factors in islice(rest, stop - start):
            if len(terms):
                products.fill(0)
                add(terms, factors, products)
                accumulator[:passages] += np.maximum.reduceat(products, offsets[:-1])
        into = (ranking.rows[index], ranking.scores[index])
        select(accumulator, scratch.keys, k, allowed, None, into)
        pool.give_back(scratch)
    return ranking
