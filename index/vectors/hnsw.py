"""A segment part that is searched through a graph (Malkov and Yashunin 2018) by FAISS.

    hnsw.faiss   the graph and the vectors, in FAISS's own format, mapped
    vectors.npy  instead of it, where there are fewer rows than `flat_below`

The search is exact where that costs no more than the graph and finds more: among few allowed
rows, and for a k so large that the graph would have to be visited almost whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from ...core import Contribution, DenseLeg, HnswConfig, Representation, TermWeight
from ..npy import NpyFile, save
from ..protocol import Mask, Ranking, check_rows, kept_rows
from . import exact, flat
from .exact import Vectors

FILE = "hnsw.faiss"

EXACT_RATIO = 16
"""Visiting a graph with some ef costs about as much as comparing 16 times as many rows one after
another (measured: 20,000 vectors of 128 dimensions, ef 64 to 1,000)."""


class HnswSegment:
    """Approximate inner product."""

    def __init__(self, vectors: Vectors, index: Any, config: HnswConfig) -> None:
        self._vectors = vectors
        self._index = index
        self._config = config

    def __len__(self) -> int:
        return len(self._vectors)

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return int(self._vectors.shape[1])

    @classmethod
    def build(cls, directory: Path, rows: Representation, config: DenseLeg) -> None:
        """See SegmentPart. Threads add to the graph together: its links are not reproducible."""
        check_rows(len(rows))
        settings, vectors = _settings(config), exact.dense(rows)
        if len(vectors) < settings.flat_below:
            save(directory / flat.FILE, vectors)
            return
        index = _new_index(vectors.shape[1], settings)
        index.add(vectors)
        _save_index(directory, index)

    @classmethod
    def open(cls, directory: Path, config: DenseLeg) -> Self:
        """See SegmentPart."""
        settings = _settings(config)
        if (directory / flat.FILE).exists():
            plain = NpyFile(directory / flat.FILE, np.float32, dimensions=2)
            return cls(plain.array, None, settings)
        faiss = _faiss()
        try:
            index = faiss.read_index(str(directory / FILE), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise OSError(f"{directory / FILE}: FAISS cannot read it") from error
        storage = faiss.downcast_index(index.storage)
        flattened = faiss.rev_swig_ptr(storage.get_xb(), index.ntotal * index.d)
        return cls(flattened.reshape(index.ntotal, index.d), index, settings)

    @classmethod
    def merge(
        cls,
        directory: Path,
        sources: Sequence[tuple[Self, Mask | None]],
        config: DenseLeg,
        memory: int,
    ) -> None:
        """See SegmentPart. The graph and its vectors are in memory while it is made."""
        settings = _settings(config)
        kept = kept_rows(sources)
        if kept < settings.flat_below:
            flat.write(directory, sources, memory)
            return
        index = _new_index(sources[0][0].width, settings)
        for block in flat.kept_blocks(sources, memory):
            index.add(block)
        _save_index(directory, index)

    def read(self, start: int, stop: int) -> Vectors:
        """A copy of some vectors."""
        return self._vectors[start:stop].copy()

    def statistics(self, queries: Representation, live: Mask | None) -> None:
        """None: scores need none."""

    def search(
        self, queries: Representation, k: int, allowed: Mask | None, statistics: object = None
    ) -> Ranking:
        """See LegPart. Finds k rows where as many are allowed."""
        vectors = exact.dense(queries)
        candidates = len(self) if allowed is None else int(np.count_nonzero(allowed))
        # FAISS walks through forbidden rows too, and they use up its list: it must be longer by
        # their share for the same recall.
        ef = max(self._config.ef_search or 64, k) * len(self) // max(1, candidates)
        if self._index is None or candidates <= EXACT_RATIO * ef:
            return exact.search(vectors, self._vectors, k, allowed)
        exact.check_width(vectors, self.width)
        ranking = self._search_graph(vectors, k, ef, allowed)
        missed = ranking.rows[:, -1] < 0  # The graph can leave rows out of reach.
        if missed.any():
            found = exact.search(vectors[missed], self._vectors, k, allowed)
            ranking.rows[missed], ranking.scores[missed] = found.rows, found.scores
        return ranking

    def _search_graph(self, queries: Vectors, k: int, ef: int, allowed: Mask | None) -> Ranking:
        faiss = _faiss()
        options: dict[str, Any] = {"efSearch": ef}
        if allowed is not None:
            # The parameters keep the selector alive, and the selector the bits.
            bits = np.packbits(allowed, bitorder="little")
            options["sel"] = faiss.IDSelectorBitmap(bits)
        parameters = faiss.SearchParametersHNSW(**options)
        scores, rows = self._index.search(queries, k, params=parameters)
        order = np.lexsort((rows, -scores), axis=-1)
        return Ranking(
            np.take_along_axis(rows, order, axis=-1), np.take_along_axis(scores, order, axis=-1)
        )

    def explain(
        self, query: Representation, row: int, statistics: object = None
    ) -> Sequence[Contribution]:
        """Nothing: a dense score has no terms."""
        return ()

    def terms(self, row: int) -> Sequence[TermWeight]:
        """Nothing: a dense vector has no terms."""
        return ()


def _faiss() -> Any:
    """FAISS, imported when a graph is needed; its type hints do not know what is used here."""
    return import_module("faiss")


def _settings(config: DenseLeg) -> HnswConfig:
    if not isinstance(config.index, HnswConfig):
        raise TypeError(f"an HNSW part with the configuration of {config.index.kind}")
    return config.index


def _new_index(width: int, config: HnswConfig) -> Any:
    faiss = _faiss()
    index = faiss.IndexHNSWFlat(width, config.neighbors, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = config.ef_construction
    return index


def _save_index(directory: Path, index: Any) -> None:
    _faiss().write_index(index, str(directory / FILE))
