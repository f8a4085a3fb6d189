"""Writes the vectors of a dense leg with several vectors per passage into a segment.

Codec and projection are fitted on a sample. A segment stores only the codes (compressed vectors),
not the vectors as encoded, so each change of the codec loses precision. A merge of segments
therefore adopts the codec and the projection of its largest segment and copies the codes of this
segment. It decodes the codes of the other segments and encodes them again with the adopted codec.

A new codec is fitted only if the configuration has changed, or if the old codec was fitted on far
fewer vectors than there are now. While a collection grows, a vector is re-encoded about once each
time the size of its segment doubles.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...core import Progress
from ..arrays.npy import NpyWriter
from ..arrays.vectors import Vectors, VectorSource
from ..codecs import Codec
from ..codecs.files import CODEC, FITTED
from ..codecs.loss import measure, round_trip
from ..codecs.projection import Projection
from ..protocol import Mask
from ..structures import originals
from ..structures.codes import CODES, block_rows
from ..structures.originals import random_rows
from ..structures.protocol import VectorStorage
from . import building
from .built import Built
from .calibration import Calibration
from .kept import kept_blocks
from .tokens_coded import CodedVectors

_MASKED = 1 << 20
"""Number of rows that `_Kept` reads from a merged part as one piece."""
FEWER = 4
"""A codec is fitted again if a new sample would have more than this many times as many vectors."""


class Source(VectorSource, Protocol):
    """One of the merged parts: the vectors of one leg in one segment."""

    @property
    def coded(self) -> CodedVectors | None:
        """The codes of the vectors in this part; None if they are uncompressed."""


Sources = Sequence[tuple[Source, Mask | None]]


@dataclass(frozen=True, slots=True)
class FittedCodec:
    """A codec, and the projection that is applied to vectors before the codec.

    codec: encodes projected vectors.
    projection: the projection; None: vectors are encoded without a projection.
    fitted: number of vectors on which the codec and the projection were fitted.
    """

    codec: Codec
    projection: Projection | None
    fitted: int

    def encode(self, vectors: Vectors) -> NDArray[np.uint8]:
        projected = vectors if self.projection is None else self.projection.apply(vectors)
        return self.codec.encode(projected)


def write(
    directory: Path, sources: Sources, storage: VectorStorage, memory: int, progress: Progress
) -> None:
    """Write the vectors that a merge keeps into `directory`, after deleting all files there.

    sources: the merged parts, each with a mask of the vectors to keep; None: keep all.
    storage: how the vectors are stored.
    memory: approximate bytes of working memory, in addition to the sample for fitting.
    """
    kept = _Kept(sources)
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if storage.index.searches_exactly(storage, len(kept)):
        half = not storage.lossless
        originals.write(directory, lambda: kept_blocks(sources, memory), kept.width, half=half)
        return
    reused = _reusable([source for source, _ in sources], storage, len(kept))
    if reused is None:
        sampled = random_rows(len(kept), FITTED, seed=0)
        fitted = _fit(kept.take(sampled), storage)
        trip = round_trip(fitted.codec, fitted.projection)
        loss = measure(trip, kept, fitted=sampled).as_json()
    else:
        fitted = FittedCodec(reused.codec, reused.projection, reused.built.fitted or 0)
        loss = dict(reused.built.loss or {})
    fitted.codec.save(directory / CODEC)
    if fitted.projection is not None:
        fitted.projection.save(directory / building.PROJECTION)
    with NpyWriter(directory / CODES, np.uint8, columns=fitted.codec.stride) as writer:
        for codes in _codes(sources, fitted, reused, memory):
            writer.append(codes)
            progress.advance(len(codes))
    Built(storage, len(kept), kept.width, Calibration(0, {}), loss or None, fitted.fitted).save(
        directory
    )


def _codes(
    sources: Sources, fitted: FittedCodec, reused: CodedVectors | None, memory: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the codes of the vectors that a merge keeps, in order, in blocks.

    fitted: the codec of the result.
    reused: the codes of the part whose codec was adopted; these codes are copied. None: the codec
        is new, and all vectors are encoded.
    """
    for source, mask in sources:
        step = block_rows(memory, source.width)
        own = source.coded
        unchanged = own is not None and reused is not None and own.decodes_equally(reused)
        for start in range(0, len(source), step):
            stop = min(start + step, len(source))
            keep = slice(None) if mask is None else mask[start:stop]
            if unchanged:
                assert own is not None
                yield own.codes.read(start, stop)[keep]
            else:
                yield fitted.encode(source.read(start, stop)[keep])


def _reusable(sources: Sequence[Source], storage: VectorStorage, rows: int) -> CodedVectors | None:
    """Return the codes of the largest part whose codec the merge can adopt.

    rows: number of vectors in the result of the merge.

    Returns None if the merge can adopt no codec and must fit a new one.
    """
    able = [
        source.coded
        for source in sources
        if source.coded is not None
        and source.coded.built.storage.layout == storage.layout
        and (source.coded.built.fitted or 0) * FEWER >= min(rows, FITTED)
    ]
    return max(able, key=lambda one: one.built.rows, default=None)


def _fit(sample: Vectors, storage: VectorStorage) -> FittedCodec:
    projection = None
    if storage.projection is not None:
        projection = Projection.fit(sample, storage.projection)
    projected = sample if projection is None else projection.apply(sample)
    return FittedCodec(storage.held_codec.fit(projected), projection, len(sample))


class _Kept:
    """A VectorSource over the vectors that a merge of several parts keeps, in order."""

    def __init__(self, sources: Sources) -> None:
        self._pieces: list[tuple[Source, int, int, Mask | None]] = []
        counts = [0]
        for source, mask in sources:
            for start in range(0, len(source), _MASKED):
                stop = min(start + _MASKED, len(source))
                piece = None if mask is None else mask[start:stop]
                self._pieces.append((source, start, stop, piece))
                counts.append(stop - start if piece is None else int(np.count_nonzero(piece)))
        self._bounds = np.cumsum(counts)
        self.width = sources[0][0].width

    def __len__(self) -> int:
        return int(self._bounds[-1])

    def read(self, start: int, stop: int) -> Vectors:
        """Return a copy of vectors `start` to `stop` (exclusive), float32 [stop - start, width].

        See `VectorSource.read`.
        """
        return self.take(np.arange(start, stop))

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return a copy of the vectors with numbers `rows`, in that order, float32 [n, width].

        See `VectorSource.take`.
        """
        found = np.empty((len(rows), self.width), dtype=np.float32)
        order = np.argsort(rows, kind="stable")
        ends = np.searchsorted(rows[order], self._bounds[1:])
        first = 0
        for (source, start, stop, mask), begin, last in zip(
            self._pieces, self._bounds.tolist(), ends.tolist(), strict=False
        ):
            if last > first:
                positions = order[first:last]
                inside = rows[positions] - begin
                if mask is not None:
                    inside = np.flatnonzero(mask)[inside]
                assert stop - start > int(inside.max()), "a row number beyond the last row"
                found[positions] = source.take(start + inside)
            first = last
        return found
