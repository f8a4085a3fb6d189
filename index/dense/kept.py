"""Vectors of several sources, one after another, without those that are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..arrays.vectors import Vectors, VectorSource
from ..protocol import Mask

Sources = Sequence[tuple[VectorSource, Mask | None]]


def kept_blocks(sources: Sources, memory: int) -> Iterator[Vectors]:
    """The vectors whose mask is not false, in order, in blocks of at most `memory` bytes."""
    for source, mask in sources:
        # A block and the copy of what is kept of it.
        step = max(1, memory // (2 * 4 * max(1, source.width)))
        for start in range(0, len(source), step):
            stop = min(start + step, len(source))
            block = source.read(start, stop)
            yield block if mask is None else block[mask[start:stop]]
