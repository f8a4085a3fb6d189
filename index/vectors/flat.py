"""A segment part that is searched exactly: the vectors, mapped, and nothing else.

vectors.npy  float32 [rows, d]
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from ...core import DenseLeg, Progress, Representation
from ..npy import NpyFile, NpyWriter, save
from ..offsets import Offsets
from ..protocol import Mask, Ranking, check_rows, kept_rows
from . import exact, maxsim
from .exact import Vectors
from .termless import Termless

FILE = "vectors.npy"


class FlatSegment(Termless):
    """Exact inner product."""

    def __init__(self, vectors: NpyFile[np.float32]) -> None:
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return int(self._vectors.array.shape[1])

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """See SegmentPart."""
        check_rows(len(rows))
        save(directory / FILE, exact.storable(rows))

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart."""
        return cls(NpyFile(directory / FILE, np.float32, dimensions=2))

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: DenseLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """See SegmentPart."""
        kept_rows(sources)
        write(directory, sources, memory)

    def read(self, start: int, stop: int) -> Vectors:
        """A copy of some vectors."""
        return self._vectors.read(start, stop)

    def search(
        self, queries: Representation, k: int, allowed: Mask | None, statistics: object = None
    ) -> Ranking:
        """See LegPart."""
        return exact.search(exact.dense(queries), self._vectors.array, k, allowed)

    def max_sim(
        self,
        queries: Representation,
        bounds: Offsets,
        offsets: Offsets,
        k: int,
        allowed: Mask | None,
    ) -> Ranking:
        """See MaxSim."""
        vectors = exact.dense(queries)
        return maxsim.search(vectors, bounds, self._vectors.array, offsets, k, allowed)


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


def write(directory: Path, sources: Sources, memory: int) -> None:
    """Write the kept vectors of `sources` as one matrix."""
    with NpyWriter(directory / FILE, np.float32, columns=sources[0][0].width) as writer:
        for block in kept_blocks(sources, memory):
            writer.append(block)
