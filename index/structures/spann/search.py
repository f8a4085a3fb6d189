"""Search of a spann index: reads the nearest lists of each query and scores all their entries.

A list that several queries of a batch need is read once. At most PIECE bytes of lists are in memory
at a time, or one list if it is longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...arrays.vectors import Vectors
from ...codecs.protocol import Codec
from ...protocol import Mask, Ranking
from .heads import Heads
from .reading import Block, Lists, Postings
from .top_rows import TopRows, slots

PIECE = 8 << 20
"""Maximum bytes of lists in memory at a time."""
GROUP = 32 << 20
"""Maximum bytes of working memory for the queries that are searched at a time."""


@dataclass(frozen=True, slots=True)
class Searcher:
    """Searches the posting lists of one index. rows: number of rows of the segment."""

    heads: Heads
    postings: Postings
    codec: Codec
    rows: int

    def search(self, queries: Vectors, k: int, nprobe: int, allowed: Mask | None) -> Ranking:
        """Return the best k rows in the `nprobe` nearest lists of each query.

        queries: contiguous float32 [n, d].
        allowed: mask of the rows that may be returned; None: all rows.

        The scores are those that the codec computes from the codes.
        """
        nprobe = min(nprobe, len(self.heads))
        table = self.postings.table
        entries = min(table.longest * nprobe, table.entries)  # Maximum per query.
        size = 4 * slots(self.rows, entries) + 12 * k + 16 * nprobe
        group_size = max(1, GROUP // size)
        if len(queries) <= group_size:
            return self._search_group(queries, k, nprobe, entries, allowed)
        groups = [
            self._search_group(queries[start : start + group_size], k, nprobe, entries, allowed)
            for start in range(0, len(queries), group_size)
        ]
        return Ranking(
            np.concatenate([group.rows for group in groups]),
            np.concatenate([group.scores for group in groups]),
        )

    def _search_group(
        self, queries: Vectors, k: int, nprobe: int, entries: int, allowed: Mask | None
    ) -> Ranking:
        wanted = self._nearest(queries, nprobe)
        best = TopRows(len(queries), k, self.rows, entries)
        for piece in self._pieces(wanted[0] if len(queries) == 1 else np.unique(wanted)):
            with self.postings.read(piece) as block:
                for query, lists in enumerate(wanted):
                    here = _positions(piece, lists)
                    if here is None or len(here):
                        wrong = self._score(queries, query, block, here, best, allowed)
                        if wrong >= 0:
                            number = int(piece[wrong if here is None else here[wrong]])
                            problem = f"has row numbers outside 0 to {self.rows - 1}"
                            raise self.postings.corrupt(number, problem)
        return best.ranking()

    def _score(
        self,
        queries: Vectors,
        query: int,
        block: Block,
        here: Lists | None,
        best: TopRows,
        allowed: Mask | None,
    ) -> int:
        scores = self.codec.score_lists(
            queries[query : query + 1],
            block.data,
            block.codes if here is None else block.codes[here],
            block.counts if here is None else block.counts[here],
        )
        return best.offer(query, block, here, scores[0], allowed)

    def _nearest(self, queries: Vectors, nprobe: int) -> Lists:
        """Return the numbers of the nearest lists of each query, ascending, int64 [n, nprobe]."""
        if nprobe == len(self.heads):
            return np.broadcast_to(np.arange(nprobe), (len(queries), nprobe))
        lists, _ = self.heads.nearest(queries, nprobe)
        lists.sort(axis=1)
        return lists

    def _pieces(self, lists: Lists) -> Iterator[Lists]:
        """Split list numbers into pieces whose lists fit into PIECE bytes."""
        ends = np.cumsum(self.postings.nbytes(lists))
        first, before = 0, 0
        while first < len(lists):
            last = int(np.searchsorted(ends, before + PIECE, side="right"))
            last = max(last, first + 1)
            yield lists[first:last]
            first, before = last, int(ends[last - 1])


def _positions(piece: Lists, lists: Lists) -> Lists | None:
    """Return where the lists of one query are in `piece`; None if they are all lists of `piece`.

    piece: list numbers of a piece, ascending. From the first to the last number, the piece has all
           lists that the queries need.
    lists: list numbers of the query, ascending.
    """
    first, last = np.searchsorted(lists, (piece[0], piece[-1] + 1))
    if last - first == len(piece):
        return None
    return np.searchsorted(piece, lists[first:last])
