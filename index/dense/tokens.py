"""The vectors of a dense leg with several vectors per passage, in one segment.

    vectors.npy      float16 or float32 [vectors, d]; for few vectors or lossless storage
    codes.npy        uint8 [vectors, bytes per code], compressed vectors; in all other cases
    codec.npz        the fitted arrays of the codec
    projection.npz   the projection, if one is configured
    storage.json     configuration and loss (`built.py`); only with codes.npy

A segment with codes does not store the vectors as encoded (the originals): they would take most of
the space. Nor would it help to rescore candidates with the originals, because MaxSim reads all
vectors of a passage anyway. Scores are exact MaxSim over the decoded vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import NoProgress, Progress, Representation
from ..arrays.npy import NpyFile
from ..arrays.offsets import Offsets
from ..arrays.vectors import Vectors
from ..codecs.files import CODEC
from ..multi import ungrouped
from ..protocol import Mask, Ranking, check_rows, kept_rows
from ..structures import exact
from ..structures.codes import CODES
from ..structures.originals import Originals
from . import building, built, maxsim, tokens_building
from .built import Built
from .config import DenseLeg
from .termless import Termless
from .tokens_coded import CodedVectors

T = TypeVar("T")


class TokenSegment(Termless):
    """The vectors of all passages in a segment. A row is one vector, not one passage."""

    def __init__(self, vectors: Originals | None, coded: CodedVectors | None, size: int) -> None:
        """Create the part from uncompressed vectors or from codes.

        vectors: the uncompressed vectors; None: the part has codes.
        coded: the codes; None: the part has uncompressed vectors.
        size: bytes of all files of the part.
        """
        self._vectors = vectors
        self.coded = coded
        self._size = size
        self.width = vectors.width if vectors is not None else _required(coded).built.width
        """Number of dimensions of a vector."""

    def __len__(self) -> int:
        return len(self._vectors) if self._vectors is not None else len(_required(self.coded).codes)

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """Write the files of a part with these rows into the empty `directory`.

        See `SegmentPart.build`.
        """
        check_rows(len(rows))
        source = cls(Originals(exact.storable(rows)), None, 0)
        tokens_building.write(
            directory, [(source, None)], config.storage, building.SEAL_MEMORY, NoProgress()
        )

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: DenseLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """See SegmentPart. Codes may differ from those that `build` writes; see tokens_building."""
        kept_rows(sources)
        tokens_building.write(directory, sources, config.storage, memory, NoProgress())

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart. The storage options come from the directory, not from `config`.

        The options in `config` may have changed after the files were written.
        """
        size = sum(file.stat().st_size for file in directory.iterdir())
        if not (directory / built.FILE).exists():
            return cls(Originals.open(directory), None, size)
        known = Built.load(directory)
        codec = known.storage.held_codec.load(directory / CODEC)
        codes = NpyFile(directory / CODES, np.uint8, dimensions=2)
        if codes.array.shape != (known.rows, codec.stride):
            raise ValueError(
                f"{CODES}: expected {known.rows} codes of {codec.stride} bytes, found "
                f"{codes.array.shape[0]} of {codes.array.shape[1]} bytes"
            )
        projection = building.stored_projection(directory, known.storage)
        width = known.width if projection is None else projection.width
        if codec.width != width:
            raise ValueError(f"{CODEC}: expected {width} dimensions, found {codec.width}")
        return cls(None, CodedVectors(codes, codec, projection, known), size)

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of the vectors of rows `start` to `stop` (exclusive). Codes are decoded."""
        if self._vectors is not None:
            return self._vectors.read(start, stop)
        coded = _required(self.coded)
        return coded.decoded(coded.codes.read(start, stop))

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return the vectors with these row numbers, float32 [n, width]. Codes are decoded."""
        if self._vectors is not None:
            return self._vectors.take(rows)
        coded = _required(self.coded)
        return coded.decoded(coded.codes.array[rows])

    def search(self, queries: Representation, k: int, allowed: Mask | None) -> Ranking:
        """See LegPart. Ranks single vectors, not passages."""
        return self.max_sim(queries, np.arange(len(self) + 1), k, allowed)

    def max_sim(
        self, queries: Representation, offsets: Offsets, k: int, allowed: Mask | None
    ) -> Ranking:
        """Return the best k passages for each query. See `MaxSim.max_sim`."""
        single, bounds = ungrouped(queries)
        vectors = exact.dense(single)
        exact.check_width(vectors, self.width)
        if self._vectors is not None:
            rows: maxsim.Rows = maxsim.Matrix(self._vectors.array)
        else:
            coded = _required(self.coded)
            rows = coded
            if coded.projection is not None:
                vectors = coded.projection.apply(vectors)
        return maxsim.search(vectors, bounds, rows, offsets, k, allowed)

    def description(self) -> dict[str, Any]:
        """See VectorSegment.description. Counts vectors, not passages."""
        known = None if self.coded is None else self.coded.built
        return built.describe(len(self), self._size, self._vectors, known)


def _required(value: T | None) -> T:
    assert value is not None, "a part has vectors or codes"
    return value
