"""Exact MaxSim of dense vectors: blocks of whole passages, multiplied by groups of queries."""

from __future__ import annotations

import numpy as np

from ..offsets import Offsets, fitting, of_lengths, ranges
from ..protocol import Mask, Ranking
from .exact import BLOCK_ROWS, GATHER_SHARE, Best, Vectors, check_width

QUERY_GROUP = 32
"""Queries that are multiplied at once; each has several vectors."""


def search(
    queries: Vectors,
    bounds: Offsets,
    vectors: Vectors,
    offsets: Offsets,
    k: int,
    allowed: Mask | None,
) -> Ranking:
    """The best k passages for each query; see `MaxSim.max_sim`. Ties by passage, ascending.

    queries, vectors: float32 [rows, d]. Raises InvalidInputError if d differs.
    """
    check_width(queries, vectors.shape[1])
    asked = len(bounds) - 1
    found = Ranking(
        np.full((asked, k), -1, dtype=np.int64), np.full((asked, k), -np.inf, dtype=np.float32)
    )
    passages = rows = None
    if allowed is not None and np.count_nonzero(allowed) * GATHER_SHARE <= len(allowed):
        passages, allowed = np.flatnonzero(allowed), None
        starts, stops = offsets[passages], offsets[passages + 1]
        rows, offsets = ranges(starts, stops), of_lengths(stops - starts)
    for start in range(0, asked, QUERY_GROUP):
        own = bounds[start : start + QUERY_GROUP + 1]
        group = queries[own[0] : own[-1]]
        best = [Best(k) for _ in own[1:]]
        first = 0
        while first < len(offsets) - 1:
            last = fitting(offsets, first, BLOCK_ROWS)
            here = slice(offsets[first], offsets[last])
            block = vectors[here] if rows is None else vectors[rows[here]]
            # [rows, query vectors] -> [passages, query vectors] -> [queries, passages]. With the
            # rows first BLAS takes two thirds of the time, as query vectors are few.
            products = np.require(block, requirements="A") @ group.T
            maxima = np.maximum.reduceat(products, offsets[first:last] - offsets[first], axis=0)
            scores = np.add.reduceat(maxima.T, own[:-1] - own[0], axis=0)
            for one, its in zip(best, scores, strict=True):
                one.offer(its, first, None if allowed is None else allowed[first:last])
            first = last
        for index, one in enumerate(best, start):
            places, scores = one.result()
            found.rows[index, : len(places)] = places if passages is None else passages[places]
            found.scores[index, : len(places)] = scores
    return found
