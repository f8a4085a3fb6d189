"""Selection of the best k rows from an accumulator of scores.

The accumulator has the float32 score of each row. Rows that share no term with the query have score
zero. A candidate is a 64-bit key: the bits of its score, then the inverted bits of its row number.
Scores of candidates are positive, and positive floats sort like their bits. Sorting keys in
descending order therefore orders by score, descending, and then by row, ascending.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interpreting import interpreted_first
from ..protocol import Mask, Ranking
from .postings import Postings
from .scoring import listed

GROUP = 16
"""Number of rows in a group. Selection looks at the maximum of each group first."""

LANES = 16
"""The number of groups is a multiple of this, so that maxima use full vector registers."""

VISIT_SHARE = 8
"""If the lists of a query have fewer postings than 1/8 of the rows, only rows in the lists are
visited. Otherwise all rows are scanned, which costs less per row."""

QueryTerms = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Numbers of the query terms, and the factor (query weight) of each term."""

Keys = NDArray[np.uint64]
Scores = NDArray[np.float32]

Add = Callable[[NDArray[np.int64], NDArray[np.float32], Scores], None]
"""A function (terms, factors, accumulator) that adds scores to an accumulator, one per row."""


class Scratch:
    """Working memory of one query: an accumulator of scores, and an array for keys.

    The accumulator must be all zero before and after each use.
    """

    def __init__(self, rows: int) -> None:
        self._accumulator: Scores = np.zeros(_whole_groups(rows), dtype=np.float32)
        self.keys: Keys = np.empty(rows + 1, dtype=np.uint64)

    @property
    def rows(self) -> int:
        """Maximum number of rows of a segment or delta for which this memory is large enough."""
        return len(self.keys) - 1

    def accumulator(self, rows: int) -> Scores:
        """Return an accumulator for `rows` rows, with padding that `_group_maxima` requires."""
        return self._accumulator[: _whole_groups(rows)]


class ScratchPool:
    """A pool of working memory that threads share between queries.

    Keeps the most recently used `Scratch` objects, at most one per processor. More threads may
    search at the same time, but only these objects (12 bytes per row each) stay in memory after
    their queries. A `Scratch` in use is outside the pool. A query that fails must not return its
    `Scratch`, because the accumulator may not be zero.
    """

    def __init__(self) -> None:
        # A deque is safe for many threads at its ends, and drops its oldest element when full.
        self._idle: deque[Scratch] = deque(maxlen=os.cpu_count() or 1)

    def __len__(self) -> int:
        return len(self._idle)

    def acquire(self, rows: int) -> Scratch:
        """Return a `Scratch` with room for `rows` rows, from the pool or new."""
        try:
            scratch = self._idle.pop()
        except IndexError:
            return Scratch(rows)
        return scratch if scratch.rows >= rows else Scratch(rows)

    def release(self, scratch: Scratch) -> None:
        """Put a `Scratch` back into the pool. Its accumulator must be all zero."""
        self._idle.append(scratch)


def _whole_groups(rows: int) -> int:
    return -(-rows // (GROUP * LANES)) * GROUP * LANES


pool = ScratchPool()


def rank(
    queries: Iterable[QueryTerms],
    count: int,
    k: int,
    rows: int,
    allowed: Mask | None,
    add: Add,
    postings: Postings | None = None,
) -> Ranking:
    """Return the best k rows for each query.

    queries:  terms and factors of each query.
    count:    number of queries.
    rows:     number of rows of the segment or delta.
    allowed:  mask of the rows to search; None: all.
    add:      adds the scores of a query to an accumulator.
    postings: the posting lists that `add` reads. If given, a query with rare terms looks for
              results only in the rows of its terms' lists. All other queries scan the scores of
              all rows.
    """
    ranking = Ranking.empty(count, k)
    if allowed is not None and len(allowed) != rows:
        raise ValueError(f"`allowed` must have {rows} elements, one per row, got {len(allowed)}")
    if rows == 0:
        return ranking
    for index, (terms, factors) in enumerate(queries):
        if len(terms) == 0:
            continue
        lists: tuple[Any, Any, Any] | None = None
        if postings is not None and VISIT_SHARE * sum(map(postings.length, terms.tolist())) < rows:
            lists = (postings.indptr, postings.rows, terms)
        scratch = pool.acquire(rows)
        accumulator = scratch.accumulator(rows)
        add(terms, factors, accumulator[:rows])
        into = (ranking.rows[index], ranking.scores[index])
        select(accumulator, scratch.keys, k, allowed, lists, into)
        pool.release(scratch)
    return ranking


def select(
    accumulator: Scores,
    keys: Keys,
    k: int,
    allowed: Mask | None,
    visited: tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[Any]] | None,
    into: tuple[NDArray[np.int64], Scores],
) -> None:
    """Write the best k rows with a positive score into `into`. Resets the accumulator to zero.

    accumulator: score of each row.
    keys:    working memory for at least one key more than there are rows.
    visited: (indptr, rows, terms) of the posting lists to visit; None: scan all rows.
    into:    rows and scores of one query in an empty Ranking.
    """
    if visited is not None:
        mask = _ALL if allowed is None else allowed
        count = _collect_listed(*visited, accumulator, mask, keys)
    else:
        if allowed is not None:
            _mask_scores(accumulator, allowed)
        maxima = np.empty(len(accumulator) // GROUP, dtype=np.float32)
        _group_maxima(accumulator, maxima)
        count = _collect(accumulator, maxima, _score_bound(maxima, k), keys)
    found = keys[:count]
    if count > k:
        found.partition(count - k)
        found = found[count - k :]
    found.sort()
    best = found[::-1]
    into[0][: len(best)] = 0xFFFFFFFF - (best & 0xFFFFFFFF)
    into[1][: len(best)] = (best >> 32).astype(np.uint32).view(np.float32)


def _score_bound(maxima: Scores, k: int) -> np.float32:
    """Return a lower bound of the k-th best score; 0 if there are fewer than k groups.

    maxima: best score of each group of rows.
    """
    while len(maxima) >= 128 * k:  # Halving costs less than partitioning, and loses little.
        half = len(maxima) // 2
        maxima = np.maximum(maxima[:half], maxima[half : 2 * half])
    index = len(maxima) - k
    return np.partition(maxima, index)[index] if index >= 0 else np.float32(0)


_ALL: Mask = np.empty(0, dtype=np.bool_)


@interpreted_first(lambda accumulator, allowed: accumulator.size)
def _mask_scores(accumulator: Any, allowed: Any) -> None:
    """Set the scores of rows that are not allowed to zero."""
    for row in range(allowed.size):
        score = accumulator[row]
        accumulator[row] = score if allowed[row] else np.float32(0)


@interpreted_first(lambda accumulator, maxima: accumulator.size)
def _group_maxima(accumulator: Any, maxima: Any) -> None:
    """Write the best score of each group of rows into `maxima`.

    Group g has rows g, g + groups, g + 2 * groups, ..., where groups is the number of groups. With
    such groups, the processor computes many maxima at a time. Adjacent rows, which are often
    passages of one document with similar scores, are in different groups.
    """
    groups = maxima.size
    maxima[:] = accumulator[:groups]
    for start in range(groups, accumulator.size, groups):
        stripe = accumulator[start : start + groups]
        for group in range(groups):
            score = stripe[group]
            maxima[group] = score if score > maxima[group] else maxima[group]


@interpreted_first(lambda accumulator, *rest: accumulator.size)
def _collect(accumulator: Any, maxima: Any, at_least: Any, keys: Any) -> int:
    """Write the key of each row whose score is positive and at least `at_least` into `keys`.

    maxima: best score of each group of rows.

    Returns the number of keys. Resets the accumulator to zero.
    """
    count = 0
    for group in range(maxima.size):
        if maxima[group] >= at_least and maxima[group] > 0:
            row = np.uint64(group)  # Unsigned, so no test for negative indices.
            for _ in range(GROUP):
                score = accumulator[row]
                if score >= at_least and score > 0:
                    keys[count] = _key(score, row)
                    count += 1
                row += np.uint64(maxima.size)
    accumulator[:] = 0
    return count


@interpreted_first(lambda indptr, rows, terms, *rest: 5 * listed(indptr, terms))
def _collect_listed(
    indptr: Any, rows: Any, terms: Any, accumulator: Any, allowed: Any, keys: Any
) -> int:
    """Write the keys of allowed rows in the posting lists of `terms` into `keys`.

    Resets the scores of the rows to zero.

    allowed: mask; if empty, all rows are allowed.

    Returns the number of keys. A row in several lists counts once, because its score is zero after
    the first visit.
    """
    count = 0
    for term in terms:
        listed = rows[indptr[term] : indptr[term + 1]]
        for index in range(listed.size):
            row = listed[index]
            score = accumulator[row]
            accumulator[row] = 0
            # Always written but only counted if valid: a branch would often be mispredicted.
            keys[count] = _key(score, row)
            if allowed.size == 0:
                count += score > 0
            else:
                count += (score > 0) & allowed[row]
    return count


@interpreted_first(lambda score, row: 0)
def _key(score: Any, row: Any) -> Any:
    bits = np.uint64(np.float32(score).view(np.uint32))
    return (bits << np.uint64(32)) | (np.uint64(0xFFFFFFFF) - np.uint64(row))
