"""Flat indexes over codes (encoded vectors): each search compares the query with every code.

codes.npy  the codes; see `structures.codes`
codec.npz  the fitted arrays of the codec
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from ....core import Progress
from ...arrays.npy import NpyFile
from ...arrays.vectors import Vectors, VectorSource
from ...codecs import Codec
from ...codecs.files import CODEC, FITTED
from ...protocol import Mask, Ranking
from .. import codes
from ..codes import CODES
from ..exact import check_width, scan
from ..ivf.config import IvfConfig
from ..ivf.ivf import IvfLists
from ..originals import random_rows
from ..protocol import Parameters, VectorStorage

SEED = 0
"""Seed of the fitting sample. A projection uses the same sample."""
OVERSAMPLES = (1, 2, 4, 8, 16, 32)
"""Oversampling factors to calibrate."""
QUICKER = 2
"""Speed of scoring a code, relative to an original vector; a lower bound."""


class CodedFlat:
    """A Structure that compares a query with every code. Exact except for the codec loss."""

    exact_vectors = None
    """See Structure. This index stores only codes."""

    def __init__(self, codec: Codec, file: NpyFile[np.uint8], rescored: bool) -> None:
        self._codec = codec
        self._codes = file
        self._rescored = rescored
        self.memory = file.array.nbytes  # Each search reads all codes.

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write the files of the index into `directory`. See `Structure.build`."""
        codec = storage.held_codec.fit(vectors.take(random_rows(len(vectors), FITTED, SEED)))
        codec.save(directory / CODEC)
        codes.write(directory, codec, vectors, memory, progress)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        codec = storage.held_codec.load(directory / CODEC)
        file = NpyFile(directory / CODES, np.uint8, dimensions=2)
        if file.array.shape[1] != codec.stride:
            raise ValueError(
                f"each code in {CODES} must have {codec.stride} bytes, got {file.array.shape[1]}"
            )
        return cls(codec, file, "oversample" in storage.parameters)

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """See Structure. Only the fitting sample stays in memory; codes are written in blocks."""
        return min(rows, FITTED) * width * 4

    def __len__(self) -> int:
        return len(self._codes)

    def ladder(self) -> Sequence[Parameters]:
        """See Structure. The only parameter is "oversample"; none if searches do not rescore."""
        return _oversamples(self._rescored)

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query. See `Structure.cost`."""
        return len(self) / QUICKER + k * parameters.get("oversample", 0)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """See Structure. Ties are ordered by row, ascending."""
        check_width(queries, self._codec.width)
        stored, codec = self._codes.array, self._codec
        return scan(
            queries, len(self), k, allowed, lambda group, rows: codec.score(group, stored[rows])
        )

    def read(self, start: int, stop: int) -> Vectors:
        """Return vectors `start` to `stop` (exclusive), decoded, float32 [stop - start, width].

        See `Structure.read`.
        """
        return self._codec.decode(self._codes.read(start, stop))


class FaissFlat(IvfLists):
    """A Structure that compares a query with every vector, encoded by FAISS (codec pq or rabitq).

    Uses one inverted list, because FAISS can filter rows in inverted lists but not in its flat
    indexes. Encoding changes the norms of the vectors. Other structures correct their scores for
    this, but this class does not.
    """

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write the files of the index into `directory`. See `Structure.build`."""
        super().build(directory, vectors, _one_list(storage), memory, progress)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        return super().open(directory, _one_list(storage))

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors.

        See `Structure.building_bytes`.
        """
        return super().building_bytes(rows, width, _one_list(storage))

    def ladder(self) -> Sequence[Parameters]:
        """See CodedFlat.ladder."""
        return _oversamples("oversample" in self._storage.parameters)

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query. See `Structure.cost`."""
        return super().cost({**parameters, **_ALL}, k)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Return up to k candidates for each query among the allowed rows, best first.

        See `Structure.search`.
        """
        return super().search(queries, k, _ALL, allowed)


_ALL = {"nprobe": 1}


def _one_list(storage: VectorStorage) -> VectorStorage:
    return storage.model_copy(update={"index": IvfConfig(lists=1)})


def _oversamples(rescored: bool) -> Sequence[Parameters]:
    return [{"oversample": times} for times in OVERSAMPLES] if rescored else [{}]
