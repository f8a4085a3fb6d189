"""A batch of queries against posting lists: score, select, next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocol import Mask, Ranking
from .postings import Postings
from .selection import Scores, empty_ranking, pool, select

VISIT_SHARE = 8
"""Where the lists of a query hold fewer postings than 1/8 of the rows, only the rows in them are
looked at for the best; else all rows, which costs less for each."""

QueryTerms = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Terms of a query by their number, and the factor of each."""

Add = Callable[[NDArray[np.int64], NDArray[np.float32], Scores], None]
"""Adds the scores of terms with factors to an accumulator, which has one element a row."""


def rank(
    queries: Iterable[QueryTerms],
    count: int,
    k: int,
    rows: int,
    allowed: Mask | None,
    add: Add,
    postings: Postings | None = None,
) -> Ranking:
    """The best k of `rows` rows for each of `count` queries.

    `postings` are the lists that `add` walks, where a short walk can be repeated.
    """
    ranking = empty_ranking(count, k)
    if allowed is not None and len(allowed) != rows:
        raise ValueError(f"a mask of {len(allowed)} rows for a part of {rows}")
    if rows == 0:
        return ranking
    for index, (terms, factors) in enumerate(queries):
        if len(terms) == 0:
            continue
        lists: tuple[Any, Any, Any] | None = None
        if postings is not None and VISIT_SHARE * sum(map(postings.length, terms.tolist())) < rows:
            lists = (postings.indptr, postings.rows, terms)
        scratch = pool.take(rows)
        accumulator = scratch.accumulator(rows)
        add(terms, factors, accumulator[:rows])
        into = (ranking.rows[index], ranking.scores[index])
        select(accumulator, scratch.keys, k, allowed, lists, into)
        pool.give_back(scratch)
    return ranking
