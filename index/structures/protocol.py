"""What every kind of vector index offers to the segment that it is part of.

The segment (`segment.py`) does what all kinds need: originals, projection, rescoring, exact search
where few rows are allowed, calibration. A structure finds candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

from ...core import Progress, VectorStorage
from ..arrays.vectors import Vectors, VectorSource
from ..protocol import Mask, Ranking

Parameters = Mapping[str, int]
"""How far a search looks, e.g. {"nprobe": 16, "oversample": 4}; see `core.VectorSearch`."""


class Structure(Protocol):
    """One kind of index over the vectors of one segment: immutable files in a directory, searched
    by inner product, by several threads at once. `len` is the number of vectors."""

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write files for all `vectors` into `directory`, whose other files it leaves alone.

        Takes `memory` bytes or so beyond what the structure itself must hold (`building_bytes`).
        Deterministic as far as the library below allows. `progress.advance` counts vectors, each
        once in all.
        """

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Raises OSError or ValueError for what cannot be read."""

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Memory that a build of so many vectors holds however little it is given."""

    def __len__(self) -> int: ...

    @property
    def memory(self) -> int:
        """Bytes that the structure holds in memory once it is open (mapped pages it must touch for
        each search included)."""

    @property
    def exact_vectors(self) -> Vectors | None:
        """The vectors as they came, mapped, where the structure itself must hold them (a graph over
        float32); then no copy is kept beside it. Else None."""

    def ladder(self) -> Sequence[Parameters]:
        """Settings to calibrate, from the cheapest to the dearest, all with the same keys.

        With "oversample" as a key, the segment asks for that many candidates for each result and
        rescores them; without it, or with 0, the structure's scores stand.
        """

    def cost(self, parameters: Parameters, k: int) -> float:
        """How many rows could be compared one by one with as much work. Need not be precise."""

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Up to k candidates for each query among the allowed rows, best first, by the structure's
        own scores; padded with row -1 and score -inf. Finding fewer is no error.

        queries: float32 [n, width], contiguous. `parameters` has the keys of the ladder.
        """

    def read(self, start: int, stop: int) -> Vectors:
        """The vectors as the structure still knows them: needed where no originals are kept."""
