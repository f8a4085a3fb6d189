"""From posting lists to one score per row, and from these to the best k rows.

Scores are collected in an accumulator, one float32 for each row of the part, of which the
rows that share no term with the query stay zero. A result is a 64-bit key, the bits of the score
above those of the inverted row: scores are positive, and positive floats are ordered like their
bits, so sorting keys orders by score, descending, and then by row, ascending.
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
"""Rows in a group, of which only the best is looked at first."""

LANES = 16
"""Groups come in multiples of this, so that their maxima are taken with full vector registers."""

VISIT_SHARE = 8
"""Where the lists of a query hold fewer postings than 1/8 of the rows, only the rows in them are
looked at for the best; else all rows, which costs less for each."""

QueryTerms = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Terms of a query by their number, and the factor of each."""

Keys = NDArray[np.uint64]
Scores = NDArray[np.float32]

Add = Callable[[NDArray[np.int64], NDArray[np.float32], Scores], None]
"""Adds the scores of terms with factors to an accumulator, which has one element a row."""


class Scratch:
    """Working memory of one query: an accumulator, which is all zero before and after, and keys."""

    def __init__(self, rows: int) -> None:
        self._accumulator: Scores = np.zeros(_whole_groups(rows), dtype=np.float32)
        self.keys: Keys = np.empty(rows + 1, dtype=np.uint64)

    @property
    def rows(self) -> int:
        """How many rows there is room for."""
        return len(self.keys) - 1

    def accumulator(self, rows: int) -> Scores:
        """That of `rows` rows, a whole number of groups."""
        return self._accumulator[: _whole_groups(rows)]


class ScratchPool:
    """Working memory that is kept from one query to the next, whatever the thread.

    It holds the most recently used, one for each processor: more than that many threads may
    search, but they do not keep 12 bytes for every row while they wait for work. A scratch is
    taken out while in use, so that an error on the way leaves a new one to be made and not a
    dirty one to be used.
    """

    def __init__(self) -> None:
        # A deque's ends are safe to use from many threads, and it drops its oldest when full.
        self._idle: deque[Scratch] = deque(maxlen=os.cpu_count() or 1)

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, rows: int) -> Scratch:
        """One with room for `rows` rows."""
        try:
            scratch = self._idle.pop()
        except IndexError:
            return Scratch(rows)
        return scratch if scratch.rows >= rows else Scratch(rows)

    def give_back(self, scratch: Scratch) -> None:
        """Return one whose accumulator is zero again."""
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
    """The best k of `rows` rows for each of `count` queries.

    `postings` are the lists that `add` walks, where a short walk can be repeated.
    """
    ranking = Ranking.empty(count, k)
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


def select(
    accumulator: Scores,
    keys: Keys,
    k: int,
    allowed: Mask | None,
    visited: tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[Any]] | None,
    into: tuple[NDArray[np.int64], Scores],
) -> None:
    """Put the best k rows with a positive score into `into` and make the accumulator zero.

    visited: (indptr, rows, terms) of the lists to look at instead of all rows; None = all rows.
    keys: room for one more than there are rows.
    into: one row of a Ranking that holds "no result" everywhere.
    """
    if visited is not None:
        mask = _ALL if allowed is None else allowed
        count = _visit(*visited, accumulator, mask, keys)
    else:
        if allowed is not None:
            _forbid(accumulator, allowed)
        maxima = np.empty(len(accumulator) // GROUP, dtype=np.float32)
        _group_maxima(accumulator, maxima)
        count = _collect(accumulator, maxima, _reached(maxima, k), keys)
    found = keys[:count]
    if count > k:
        found.partition(count - k)
        found = found[count - k :]
    found.sort()
    best = found[::-1]
    into[0][: len(best)] = 0xFFFFFFFF - (best & 0xFFFFFFFF)
    into[1][: len(best)] = (best >> 32).astype(np.uint32).view(np.float32)


def _reached(maxima: Scores, k: int) -> np.float32:
    """A score that at least k rows have, close to the k-th best: nothing below it can be in."""
    while len(maxima) >= 128 * k:  # Halving costs less than partitioning, and loses little.
        half = len(maxima) // 2
        maxima = np.maximum(maxima[:half], maxima[half : 2 * half])
    place = len(maxima) - k
    return np.partition(maxima, place)[place] if place >= 0 else np.float32(0)


_ALL: Mask = np.empty(0, dtype=np.bool_)


@interpreted_first(lambda accumulator, allowed: accumulator.size)
def _forbid(accumulator: Any, allowed: Any) -> None:
    """Make the scores of forbidden rows zero."""
    for row in range(allowed.size):
        score = accumulator[row]
        accumulator[row] = score if allowed[row] else np.float32(0)


@interpreted_first(lambda accumulator, maxima: accumulator.size)
def _group_maxima(accumulator: Any, maxima: Any) -> None:
    """Group g is the rows g, g + groups, g + 2 groups, ...

    So the maxima of all groups are taken by whole vectors, and neighbouring rows, which are often
    passages of one document and similarly good, are in different groups.
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
    """Keys of the rows with a positive score of `at_least`; makes the accumulator zero."""
    count = 0
    for group in range(maxima.size):
        if maxima[group] >= at_least and maxima[group] > 0:
            row = np.uint64(group)  # Unsigned: a negative index need not be thought of.
            for _ in range(GROUP):
                score = accumulator[row]
                if score >= at_least and score > 0:
                    keys[count] = _key(score, row)
                    count += 1
                row += np.uint64(maxima.size)
    accumulator[:] = 0
    return count


@interpreted_first(lambda indptr, rows, terms, *rest: 5 * listed(indptr, terms))
def _visit(indptr: Any, rows: Any, terms: Any, accumulator: Any, allowed: Any, keys: Any) -> int:
    """Keys of the rows in the lists of `terms`; makes their scores zero.

    A row in several lists is taken at the first: from then on its score is zero.
    """
    count = 0
    for term in terms:
        listed = rows[indptr[term] : indptr[term + 1]]
        for index in range(listed.size):
            row = listed[index]
            score = accumulator[row]
            accumulator[row] = 0
            # Written always and counted if wanted: a branch would often be mispredicted.
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
