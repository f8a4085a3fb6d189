"""Structures that compare a query with every vector, by their codes.

codes.npy  see `codes`
codec.npz  what the codec was fitted to
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
from ..originals import spread
from ..protocol import Parameters, VectorStorage

SEED = 0
"""Of the vectors that a codec is fitted on: the same as those of a projection."""
OVERSAMPLES = (1, 2, 4, 8, 16, 32)
QUICKER = 2
"""Codes are compared at least so many times as fast as the vectors themselves."""


class CodedFlat:
    """Every vector as a code of its own: as exact as the codec is."""

    exact_vectors = None
    """See Structure: there are codes only."""

    def __init__(self, codec: Codec, file: NpyFile[np.uint8], rescored: bool) -> None:
        self._codec = codec
        self._codes = file
        self._rescored = rescored
        self.memory = file.array.nbytes  # All of them are read by every search.

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """See Structure."""
        codec = storage.held_codec.fit(vectors.take(spread(len(vectors), FITTED, SEED)))
        codec.save(directory / CODEC)
        codes.write(directory, codec, vectors, memory, progress)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """See Structure."""
        codec = storage.held_codec.load(directory / CODEC)
        file = NpyFile(directory / CODES, np.uint8, dimensions=2)
        if file.array.shape[1] != codec.stride:
            raise ValueError(f"{CODES}: codes of {file.array.shape[1]} bytes, not {codec.stride}")
        return cls(codec, file, "oversample" in storage.parameters)

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """The sample; codes are written as they come."""
        return min(rows, FITTED) * width * 4

    def __len__(self) -> int:
        return len(self._codes)

    def ladder(self) -> Sequence[Parameters]:
        """How many candidates are rescored; nothing where they cannot be."""
        return _oversamples(self._rescored)

    def cost(self, parameters: Parameters, k: int) -> float:
        """See Structure."""
        return len(self) / QUICKER + k * parameters.get("oversample", 0)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """See Structure. Ties by row, ascending."""
        check_width(queries, self._codec.width)
        stored, codec = self._codes.array, self._codec
        return scan(
            queries, len(self), k, allowed, lambda group, rows: codec.score(group, stored[rows])
        )

    def read(self, start: int, stop: int) -> Vectors:
        """See Structure."""
        return self._codec.decode(self._codes.read(start, stop))


class FaissFlat(IvfLists):
    """Every vector by a code that only FAISS knows: product quantisation, RaBitQ.

    It is a single inverted list: FAISS filters while it scans lists, but not in its flat indexes.
    The scores are FAISS's own; lengths are not restored.
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
        """See Structure."""
        super().build(directory, vectors, _one_list(storage), memory, progress)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """See Structure."""
        return super().open(directory, _one_list(storage))

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """See Structure."""
        return super().building_bytes(rows, width, _one_list(storage))

    def ladder(self) -> Sequence[Parameters]:
        """See CodedFlat."""
        return _oversamples("oversample" in self._storage.parameters)

    def cost(self, parameters: Parameters, k: int) -> float:
        """See Structure."""
        return super().cost({**parameters, **_ALL}, k)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """See Structure."""
        return super().search(queries, k, _ALL, allowed)


_ALL = {"nprobe": 1}


def _one_list(storage: VectorStorage) -> VectorStorage:
    return storage.model_copy(update={"index": IvfConfig(lists=1)})


def _oversamples(rescored: bool) -> Sequence[Parameters]:
    return [{"oversample": times} for times in OVERSAMPLES] if rescored else [{}]
