"""Vectors of several sources, one after another, without those that are left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from ..protocol import Mask
from .exact import Vectors


class Readable(Protocol):
    """Where vectors can be copied from."""

    def __len__(self) -> int: ...

    @property
    def width(self) -> int: ...

    def read(self, start: int, stop: int) -> Vectors: ...


Sources = Sequence[tuple[Readable, Mask | None]]


def kept_blocks(sources: Sources, memory: int) -> Iterator[Vectors]:
    """The vectors whose mask is not false, in order, in blocks of at most `memory` bytes."""
    for source, mask in sources:
        # A block and the copy of what is kept of it.
        step = max(1, memory // (2 * 4 * max(1, source.width)))
        for start in range(0, len(source), step):
            stop = min(start + step, len(source))
            block = source.read(start, stop)
            yield block if mask is None else block[mask[start:stop]]
