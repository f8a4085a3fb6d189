"""An HNSW graph (Malkov and Yashunin 2018) over vectors or their codes, with FAISS.

    hnsw.faiss   the graph with its vectors or codes, in FAISS's format, memory-mapped

With codec float32 the file holds the original vectors, so the segment stores no second copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np

from ....core import Progress
from ...arrays.vectors import Vectors, VectorSource
from ...codecs.config import FAISS_BITS
from ...codecs.files import FITTED
from ...protocol import Mask, Ranking
from .. import faiss_calls
from ..faiss_calls import faiss
from ..protocol import Parameters, VectorStorage, settings
from .config import HnswConfig

FILE = "hnsw.faiss"

_EXACT_RATIO = 16
"""A graph search with some ef costs about as much as comparing 16 * ef rows one by one.

Measured with 20,000 vectors of 128 dimensions, ef 64 to 1,000."""


class HnswGraph:
    """A Structure that searches an HNSW graph."""

    def __init__(self, index: Any, storage: VectorStorage, size: int) -> None:
        """size: bytes of hnsw.faiss, which is memory-mapped."""
        self._index = index
        self._storage = storage
        self.memory = size
        self._settings: dict[int, Any] = {}
        self._vectors: Vectors | None = None
        if isinstance(index, faiss().IndexHNSWFlat):
            values = faiss().rev_swig_ptr(
                faiss().downcast_index(index.storage).get_xb(), index.ntotal * index.d
            )
            self._vectors = values.reshape(index.ntotal, index.d)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """See Structure. Several threads add to the graph, so its links are not reproducible."""
        index = _new_index(vectors.width, storage)
        if not index.is_trained:
            faiss_calls.train(index, faiss_calls.sample(vectors, FITTED))
        for block in faiss_calls.blocks(vectors, memory):
            index.add(block)
            progress.advance(len(block))
        faiss_calls.write(index, directory / FILE)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        path = directory / FILE
        index = faiss_calls.read(path)
        flat = storage.used_codec is None or storage.used_codec.kind == "float32"
        kind = faiss().IndexHNSWFlat if flat else faiss().IndexHNSWSQ
        if not isinstance(index, kind) or index.storage.ntotal != index.ntotal:
            content = "float32 vectors" if flat else "codes"
            raise ValueError(
                f"{path.name} must be an HNSW graph with {content} for every node, "
                f"got {type(index).__name__}"
            )
        return cls(index, storage, path.stat().st_size)

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors.

        See `Structure.building_bytes`.
        """
        codec = storage.used_codec
        code = width * FAISS_BITS["float32" if codec is None else codec.kind] // 8
        # The lowest level has twice the links; all others together have a few percent of these.
        graph = rows * (code + 4 * 2 * settings(storage, HnswConfig).neighbors + 24)
        return graph + (0 if storage.lossless else 4 * width * min(rows, FITTED))

    @property
    def exact_vectors(self) -> Vectors | None:
        """The original vectors, mapped, if the index itself stores them; None otherwise.

        See `Structure.exact_vectors`.
        """
        return self._vectors if self._storage.lossless else None

    def ladder(self) -> Sequence[Parameters]:
        """Return the search parameters to calibrate, cheapest first, all with the same keys.

        See `Structure.ladder`.
        """
        values = [round(2 ** (step / 2)) for step in range(7, 22)]
        return faiss_calls.ladder("ef", values, self._storage)

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query. See `Structure.cost`."""
        return _EXACT_RATIO * max(parameters["ef"], k)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Return up to k candidates for each query among the allowed rows, best first.

        See `Structure.search`.
        """
        if allowed is None:
            ef = min(max(parameters["ef"], k), len(self))
            settings = self._settings.get(ef)
            if settings is None:
                settings = self._settings[ef] = faiss().SearchParametersHNSW(efSearch=ef)
        else:
            # FAISS visits rows that are not allowed too, and they fill its candidate list.
            share = np.count_nonzero(allowed) / max(1, len(self))
            ef = min(max(parameters["ef"], ceil(k / max(share, 1e-9))), len(self))
            settings = faiss().SearchParametersHNSW(efSearch=ef, sel=faiss_calls.selector(allowed))
        return faiss_calls.search(self._index, queries, k, settings)

    def read(self, start: int, stop: int) -> Vectors:
        """Return vectors `start` to `stop` (exclusive), decoded, float32 [stop - start, width].

        See `Structure.read`.
        """
        if self._vectors is not None:
            return self._vectors[start:stop].copy()
        if start >= stop:
            return np.empty((0, self._index.d), np.float32)
        decoded: Vectors = self._index.storage.reconstruct_n(start, stop - start)
        return decoded


def _new_index(width: int, storage: VectorStorage) -> Any:
    library, config, codec = faiss(), settings(storage, HnswConfig), storage.used_codec
    metric = library.METRIC_INNER_PRODUCT
    if codec is None or codec.kind == "float32":
        index = library.IndexHNSWFlat(width, config.neighbors, metric)
    else:
        kind = faiss_calls.scalar_type(codec)
        index = library.IndexHNSWSQ(width, kind, config.neighbors, metric)
    index.hnsw.efConstruction = config.ef_construction
    return index
