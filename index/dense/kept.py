"""Reads the vectors that a merge of segments keeps: those of documents that are not deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..arrays.vectors import Vectors, VectorSource
from ..protocol import Mask

Sources = Sequence[tuple[VectorSource, Mask | None]]


def kept_blocks(sources: Sources, memory: int) -> Iterator[Vectors]:
    """Yield the vectors that a merge keeps, in order, in blocks that use about `memory` bytes.

    sources: the merged parts, each with a mask of the vectors to keep; None: keep all.
    """
    for source, mask in sources:
        # A block and a copy of its kept vectors.
        step = max(1, memory // (2 * 4 * max(1, source.width)))
        for start in range(0, len(source), step):
            stop = min(start + step, len(source))
            block = source.read(start, stop)
            yield block if mask is None else block[mask[start:stop]]
