"""A vector index: vectors in buckets by their largest dimension."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from twindex.core import Progress
from twindex.core.bounds import Effort, PositiveShare, Rows
from twindex.index import IndexConfig, Ranking, VectorStorage
from twindex.index.arrays.vectors import Vectors, VectorSource
from twindex.index.structures.protocol import Parameters


class BucketConfig(IndexConfig):
    """Buckets of vectors with the same largest dimension."""

    made_by = ".index:Buckets"
    parameters = ("nprobe",)
    search_fields = ("recall", "nprobe")

    kind: Literal["buckets"] = "buckets"
    recall: PositiveShare | None = None
    """Recall of the 10 nearest vectors, calibrated when a segment is built; None = 0.98."""
    nprobe: Effort | None = None
    """Number of buckets to search, instead of a recall; None = as calibrated."""
    flat_below: Rows = 100
    """Segments with fewer passages are searched exactly."""

    @classmethod
    def supports_codec(cls, codec: type[object], kind: str) -> bool:
        """See IndexConfig: the vectors themselves."""
        return kind == "float32"


class Buckets:
    """A Structure of buckets."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._buckets = vectors.argmax(axis=1)

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        np.save(directory / "buckets.npy", vectors.read(0, len(vectors)))
        progress.advance(len(vectors))

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        return cls(np.load(directory / "buckets.npy"))

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        return 4 * rows * width

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def memory(self) -> int:
        return self._vectors.nbytes

    @property
    def exact_vectors(self) -> Vectors | None:
        return self._vectors

    def ladder(self) -> Sequence[Parameters]:
        width = self._vectors.shape[1]
        return [{"nprobe": min(2**step, width)} for step in range(width.bit_length() + 1)]

    def cost(self, parameters: Parameters, k: int) -> float:
        return len(self) * parameters["nprobe"] / self._vectors.shape[1]

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: NDArray[np.bool_] | None
    ) -> Ranking:
        found = Ranking(
            np.full((len(queries), k), -1, np.int64),
            np.full((len(queries), k), -np.inf, np.float32),
        )
        for number, query in enumerate(queries):
            looked = np.argsort(-query, kind="stable")[: parameters["nprobe"]]
            mask = np.isin(self._buckets, looked)
            rows = np.flatnonzero(mask if allowed is None else mask & allowed)
            scores = self._vectors[rows] @ query
            best = np.lexsort((rows, -scores))[:k]
            found.rows[number, : len(best)] = rows[best]
            found.scores[number, : len(best)] = scores[best]
        return found

    def read(self, start: int, stop: int) -> Vectors:
        return self._vectors[start:stop].copy()
