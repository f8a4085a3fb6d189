"""Selection of the best k distinct rows of each query, from entries in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiling import kernel
from ...protocol import Mask, Ranking
from .reading import Block, Lists

_ALL = np.zeros(0, dtype=np.bool_)


class TopRows:
    """Collects the best k rows of several queries.

    Each query has a heap of rows, which `ranking` sorts in place. Each query also has a hash table
    of the rows that were added to its heap, so that no row is added twice.
    """

    def __init__(self, queries: int, k: int, rows: int, entries: int) -> None:
        """rows: number of rows of the segment. entries: maximum number of entries per query."""
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
        """Add the scored entries of some lists of a block to one query.

        lists:   positions of the lists in the block; None: all lists.
        scores:  score of each entry, in list order.
        allowed: mask of the rows to keep; None: all.

        Returns the position in `lists` of a list with an invalid row number, or -1 if all row
        numbers are valid.
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
        """Return the best rows of all queries, best first. Ties are ordered by row, ascending.

        No entries may be added after this call.
        """
        for query, held in enumerate(self._held):
            _sort(self._found.rows[query], self._found.scores[query], held)
        return self._found


def slots(rows: int, entries: int) -> int:
    """Return the size of the hash table of a query.

    rows, entries: see TopRows. The size is a power of two, more than twice the number of rows that
    the table can receive.
    """
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
    """Add entries to a heap of `held` rows, whose worst row is at position 0.

    words:        data of the block.
    begins:       byte offset of the row numbers of each list.
    counts:       number of entries of each list.
    entry_scores: score of each entry, in list order.
    allowed:      mask of the rows to keep; an empty array: all rows.
    end:          number of rows of the segment.
    rows, scores: the heap.
    seen:         the hash table.

    Returns the number of rows in the heap and the result of `TopRows.offer`.
    """
    entry = 0
    for index in range(len(begins)):
        begin = begins[index] // 4
        for position in range(begin, begin + counts[index]):
            row: Any = np.int64(words[position])
            score = entry_scores[entry]
            entry += 1
            if row < 0 or row >= end:
                return held, index
            if len(allowed) > 0 and not allowed[row]:
                continue
            full = held == len(rows)
            if full and not _worse(scores[0], rows[0], score, row):
                continue
            if not _insert(seen, row):
                continue
            if full:
                _sift_down(rows, scores, held, row, score)
            else:
                _sift_up(rows, scores, held, row, score)
                held += 1
    return held, -1


@kernel
def _insert(seen: Any, row: int) -> bool:
    """Insert a row into a hash table with open addressing. Return False if the row was present."""
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
def _sift_up(rows: Any, scores: Any, at: int, row: int, score: float) -> None:
    """Insert a row and its score into a heap of `at` rows."""
    while at > 0:
        parent = (at - 1) // 2
        if not _worse(score, row, scores[parent], rows[parent]):
            break
        rows[at], scores[at] = rows[parent], scores[parent]
        at = parent
    rows[at], scores[at] = row, score


@kernel
def _sift_down(rows: Any, scores: Any, held: int, row: int, score: float) -> None:
    """Replace the worst row of a heap of `held` rows."""
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
    """Sort a heap of `held` rows in place, best row first."""
    for last in range(held - 1, 0, -1):
        row, score = rows[last], scores[last]
        rows[last], scores[last] = rows[0], scores[0]
        _sift_down(rows, scores, last, row, score)
