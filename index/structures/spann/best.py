"""The best k distinct rows of several queries, of entries that come in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiling import kernel
from ...protocol import Mask, Ranking
from .reading import Block, Lists

_ALL = np.zeros(0, dtype=np.bool_)


class Best:
    """A heap for each query, within the ranking that it becomes. A row enters a heap only once:
    those that did are kept in a hash table."""

    def __init__(self, queries: int, k: int, rows: int, entries: int) -> None:
        """rows: of the segment; entries: that a query is offered, at most."""
        self._found = Ranking.empty(queries, k)
        self._held = [0] * queries
        self._seen = np.full((queries, slots(rows, entries)), -1, dtype=np.int32)
        self._end = rows

    def offer(
        self,
        query: int,
        block: Block,
        lists: Lists | None,
        scores: NDArray[np.float32],
        allowed: Mask | None,
    ) -> int:
        """Consider entries of some lists of a block (None = all), with their scores, one list after
        another.

        Returns the position in `lists` of one that holds a row which no segment of this size has;
        -1 = none does.
        """
        held, wrong = _offer(
            block.data.view(np.int32),
            block.rows if lists is None else block.rows[lists],
            block.counts if lists is None else block.counts[lists],
            scores,
            _ALL if allowed is None else allowed,
            self._end,
            self._found.rows[query],
            self._found.scores[query],
            self._held[query],
            self._seen[query],
        )
        self._held[query] = held
        return int(wrong)

    def ranking(self) -> Ranking:
        """Best first, ties by row, ascending. Nothing can be offered any more."""
        for query, held in enumerate(self._held):
            _sort(self._found.rows[query], self._found.scores[query], held)
        return self._found


def slots(rows: int, entries: int) -> int:
    """Length of the hash table of a query: a power of two, more than twice what can enter."""
    return 1 << (2 * min(rows, entries)).bit_length()


@kernel
def _offer(
    words: Any,
    begins: Any,
    counts: Any,
    entry_scores: Any,
    allowed: Any,
    end: int,
    rows: Any,
    scores: Any,
    held: int,
    seen: Any,
) -> tuple[int, int]:
    """`begins` are in bytes. The worst of the heap is at 0. Returns how many it holds and what
    `Best.offer` returns."""
    entry = 0
    for index in range(len(begins)):
        begin = begins[index] // 4
        for place in range(begin, begin + counts[index]):
            row: Any = np.int64(words[place])
            score = entry_scores[entry]
            entry += 1
            if row < 0 or row >= end:
                return held, index
            if len(allowed) > 0 and not allowed[row]:
                continue
            full = held == len(rows)
            if full and not _worse(scores[0], rows[0], score, row):
                continue
            if not _enter(seen, row):
                continue
            if full:
                _sink(rows, scores, held, row, score)
            else:
                _rise(rows, scores, held, row, score)
                held += 1
    return held, -1


@kernel
def _enter(seen: Any, row: int) -> bool:
    """Put a row into the table (open addressing); false if it is there."""
    mask = len(seen) - 1
    slot = (row * 0x9E3779B1 >> 8) & mask
    while seen[slot] >= 0:
        if seen[slot] == row:
            return False
        slot = (slot + 1) & mask
    seen[slot] = row
    return True


@kernel
def _worse(score: float, row: int, other_score: float, other_row: int) -> bool:
    return score < other_score or (score == other_score and row > other_row)


@kernel
def _rise(rows: Any, scores: Any, at: int, row: int, score: float) -> None:
    """Add to a heap that holds `at`."""
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score, row, scores[parent], rows[parent]):
            break
        rows[at], scores[at] = rows[parent], scores[parent]
        at = parent
    rows[at], scores[at] = row, score


@kernel
def _sink(rows: Any, scores: Any, held: int, row: int, score: float) -> None:
    """Replace the worst of a heap."""
    at = 0
    while 2 * at + 1 < held:
        child = 2 * at + 1
        other = child + 1
        if other < held and _worse(scores[other], rows[other], scores[child], rows[child]):
            child = other
        if not _worse(scores[child], rows[child], score, row):
            break
        rows[at], scores[at] = rows[child], scores[child]
        at = child
    rows[at], scores[at] = row, score


@kernel
def _sort(rows: Any, scores: Any, held: int) -> None:
    """Heapsort: the worst goes to the end, again and again."""
    for last in range(held - 1, 0, -1):
        row, score = rows[last], scores[last]
        rows[last], scores[last] = rows[0], scores[0]
        _sink(rows, scores, last, row, score)
