"""The vectors of a leg in which a passage has several, in a segment: as they came, or coded.

    vectors.npy      float16 or float32 [rows, d]: of few vectors, or where nothing is coded
    codes.npy        uint8 [rows, bytes of a code], otherwise
    codec.npz        what the codec was fitted to
    projection.npz   how vectors got fewer dimensions, where they did
    storage.json     configuration, what was lost (`built.py`); absent beside vectors.npy

Token vectors are many: originals beside the codes would be most of the bytes, and MaxSim looks at
all vectors of a passage, so that nothing could be rescored for less. So the codes are all there is;
scores are exact MaxSim over what they stand for.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...core import DenseLeg, NoProgress, Progress, Representation
from ..codecs import Codec, load_codec
from ..codecs.projection import Projection
from ..npy import NpyFile
from ..offsets import Offsets
from ..protocol import Mask, Ranking, check_rows, kept_rows
from . import building, built, coded, exact, maxsim
from .built import Built
from .exact import Vectors
from .originals import Originals
from .termless import Termless

T = TypeVar("T")

SEAL_MEMORY = 256 << 20
"""Bytes that coding a sealed delta may take beyond its vectors."""


@dataclass(frozen=True, slots=True)
class Coded:
    """Codes of vectors, mapped, and what they mean."""

    codes: NpyFile[np.uint8]
    codec: Codec
    projection: Projection | None
    built: Built

    @property
    def width(self) -> int:
        """See `maxsim.Rows`: of what is coded."""
        return self.codec.width

    def expect(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        """See `maxsim.Rows`."""
        row, page = self.codes.array.shape[1], mmap.PAGESIZE
        firsts = (self.codes.offset + starts * row) // page * page
        ends = np.minimum(self.codes.offset + stops * row, len(self.codes.mapping))
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
            self.codes.mapping.madvise(mmap.MADV_WILLNEED, first, end - first)

    def vectors(self, rows: slice | NDArray[np.int64]) -> Vectors:
        """See `maxsim.Rows`."""
        return self.codec.decode(self.codes.array[rows])

    def means_the_same(self, other: Coded) -> bool:
        """Equal codes stand for equal vectors in both."""
        if type(self.codec) is not type(other.codec):
            return False  # Of codecs that are not fitted nothing else tells them apart.
        one, two = self._fits(), other._fits()
        return one.keys() == two.keys() and all(
            np.array_equal(one[name], two[name]) for name in one
        )

    def _fits(self) -> dict[str, NDArray[Any]]:
        """What was fitted."""
        axes = {} if self.projection is None else {"axes": self.projection.axes}
        return {**axes, **self.codec.fits}

    def lifted(self, codes: NDArray[np.uint8]) -> Vectors:
        """What codes stand for, in all dimensions."""
        decoded = self.codec.decode(codes)
        return decoded if self.projection is None else self.projection.lift(decoded)


class TokenSegment(Termless):
    """Vectors that are compared one by one. Rows here are vectors."""

    def __init__(self, vectors: Originals | None, coded: Coded | None, size: int) -> None:
        """One of them; size: bytes of all files."""
        self._vectors = vectors
        self.coded = coded
        self._size = size
        self.width = vectors.width if vectors is not None else _some(coded).built.width
        """Dimensions of a vector."""

    def __len__(self) -> int:
        return len(self._vectors) if self._vectors is not None else len(_some(self.coded).codes)

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """See SegmentPart."""
        from .tokens_building import write

        check_rows(len(rows))
        vectors = Originals(exact.storable(rows))
        write(directory, [(vectors, None)], config, SEAL_MEMORY, NoProgress())

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: DenseLeg,
        memory: int,
        progress: Progress | None = None,
    ) -> None:
        """See SegmentPart, but for equality with `build`: see `tokens_building`."""
        from .tokens_building import write

        kept_rows(sources)
        write(directory, sources, config, memory, NoProgress())

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart. How it was built stands in the directory; `config` may be newer."""
        size = sum(file.stat().st_size for file in directory.iterdir())
        if not (directory / built.FILE).exists():
            return cls(Originals.open(directory), None, size)
        known = Built.load(directory)
        codec = load_codec(known.storage.held_codec, directory / coded.CODEC)
        codes = NpyFile(directory / coded.CODES, np.uint8, dimensions=2)
        if codes.array.shape != (known.rows, codec.stride):
            raise ValueError(
                f"{coded.CODES}: {codes.array.shape[0]} codes of {codes.array.shape[1]} bytes, not "
                f"{known.rows} of {codec.stride}"
            )
        projection: Projection | None = None
        if known.storage.projection is not None:
            projection = Projection.load(directory / building.PROJECTION)
        if codec.width != (known.width if projection is None else projection.width):
            raise ValueError(f"{coded.CODEC}: of {codec.width} dimensions, not those of the codes")
        return cls(None, Coded(codes, codec, projection, known), size)

    def read(self, start: int, stop: int) -> Vectors:
        """A copy of some vectors, as well as they are known."""
        if self._vectors is not None:
            return self._vectors.read(start, stop)
        coded = _some(self.coded)
        return coded.lifted(coded.codes.read(start, stop))

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Those with these numbers."""
        if self._vectors is not None:
            return self._vectors.take(rows)
        coded = _some(self.coded)
        return coded.lifted(coded.codes.array[rows])

    def search(
        self, queries: Representation, k: int, allowed: Mask | None, statistics: object = None
    ) -> Ranking:
        """See LegPart: each vector by itself."""
        each = np.arange(len(self) + 1)
        return self.max_sim(queries, np.arange(len(queries) + 1), each, k, allowed)

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
        exact.check_width(vectors, self.width)
        if self._vectors is not None:
            rows: maxsim.Rows = maxsim.Matrix(self._vectors.array)
        else:
            coded = _some(self.coded)
            rows = coded
            if coded.projection is not None:
                vectors = coded.projection.apply(vectors)
        return maxsim.search(vectors, bounds, rows, offsets, k, allowed)

    def description(self) -> dict[str, Any]:
        """As `VectorSegment.description`, of vectors and not of passages."""
        told: dict[str, Any] = {
            "rows": len(self),
            "index": "flat",
            "codec": None if self._vectors is None else str(self._vectors.array.dtype),
            "projection": None,
            "originals": "none" if self._vectors is None else str(self._vectors.array.dtype),
            "bytes_per_vector": self._size / max(1, len(self)),
            "memory": 0,
            "parameters": "exact",
            "calibration": None,
            "loss": None,
        }
        if self.coded is not None:
            storage = self.coded.built.storage
            projection = storage.projection
            told |= {
                "codec": storage.held_codec.kind,
                "projection": None if projection is None else projection.model_dump(),
                "loss": self.coded.built.loss,
            }
        return told


def _some(value: T | None) -> T:
    assert value is not None, "a part has vectors or codes"
    return value
