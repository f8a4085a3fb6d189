"""SPANN (Chen et al., NeurIPS 2021): inverted lists on disk, one vector (head) per list in memory.

    heads.faiss, postings.bin, lists.npy, codec.npz, spann.json   see heads, postings, build
    codes.npy   uint8 [rows, stride], the code of each row; only if no originals are stored

A vector is stored in several lists, so that searches find it by reading few lists. A search reads
the same number of lists for every query: those with the nearest heads. The paper limits the ratio
of distances instead (epsilon 2). This limit did not find more vectors for the same number of bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from ....core import NoProgress, Progress
from ...arrays.npy import NpyFile
from ...arrays.vectors import Vectors, VectorSource
from ...codecs.files import CODEC
from ...protocol import Mask, Ranking
from .. import codes
from ..codes import CODES
from ..protocol import Parameters, VectorStorage
from . import build
from .heads import Heads
from .postings import PAGE
from .reading import Postings
from .search import Searcher

OVERSAMPLES = {"int4": (0, 4), "binary": (0, 4, 16)}
"""Oversampling factors to calibrate, by codec; (0, 2) for codecs of 8 bits or more."""
LADDER_K = 10
"""Number of results that is assumed when settings are ordered by the bytes that they read."""


class SpannIndex:
    """A Structure that reads the inverted lists nearest to a query from disk."""

    exact_vectors = None
    """See Structure. The lists do not store vectors in row order."""

    def __init__(
        self, searcher: Searcher, storage: VectorStorage, file: NpyFile[np.uint8] | None
    ) -> None:
        self._searcher = searcher
        self._storage = storage
        self._codes = file

    def __len__(self) -> int:
        return self._searcher.rows

    @property
    def memory(self) -> int:
        """See Structure. Does not include the lists, which stay on disk."""
        return self._searcher.heads.memory + self._searcher.postings.memory

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
        build.build(directory, vectors, storage, memory, progress)
        if storage.kept == "none":
            codec = storage.held_codec.load(directory / CODEC)
            codes.write(directory, codec, vectors, memory, NoProgress())

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors.

        See `Structure.building_bytes`.
        """
        return build.building_bytes(rows, width, storage)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        codec = storage.held_codec.load(directory / CODEC)
        heads = Heads.open(directory)
        postings = Postings(directory, codec.stride)
        rows = json.loads((directory / build.FILE).read_text(encoding="utf-8")).get("rows")
        if not isinstance(rows, int) or rows < 1:
            raise ValueError(f"`rows` in {build.FILE} must be a positive integer, got {rows!r}")
        if heads.width != codec.width or len(heads) != len(postings):
            raise ValueError(
                f"heads.faiss ({len(heads)} heads of {heads.width} dimensions) does not match "
                f"lists.npy ({len(postings)} lists) and {CODEC} ({codec.width} dimensions)"
            )
        file: NpyFile[np.uint8] | None = None
        if storage.kept == "none":
            file = NpyFile(directory / CODES, np.uint8, dimensions=2)
            if file.array.shape != (rows, codec.stride):
                shape = (rows, codec.stride)
                raise ValueError(f"{CODES} must have shape {shape}, got {file.array.shape}")
        return cls(Searcher(heads, postings, codec, rows), storage, file)

    def ladder(self) -> Sequence[Parameters]:
        """See Structure. Combines numbers of lists with oversampling factors.

        Leaves out settings that cost more than comparing all rows.
        """
        lists = len(self._searcher.heads)
        counts = [1, 2, 3]
        while counts[-1] < lists:
            counts.append(counts[-2] * 2)
        counts = [count for count in counts if count < lists] + [lists]
        affordable = [
            count for count in counts if self.cost({"nprobe": count}, 0) <= len(self)
        ] or counts[:1]
        if "oversample" not in self._storage.parameters:
            return [{"nprobe": count} for count in affordable]
        codec = self._searcher.codec
        oversamples = OVERSAMPLES.get(self._storage.held_codec.kind, (0, 2))
        settings = [
            {"nprobe": count, "oversample": more} for count in affordable for more in oversamples
        ]
        mean_bytes = self._mean_entries * (codec.stride + 4)

        def read(parameters: Parameters) -> float:
            rescored = LADDER_K * parameters["oversample"] * PAGE
            return parameters["nprobe"] * mean_bytes + rescored

        return sorted(settings, key=read)

    def cost(self, parameters: Parameters, k: int) -> float:
        """See Structure. Counts the entries of the lists and the rescored candidates."""
        return parameters["nprobe"] * self._mean_entries + k * parameters.get("oversample", 0)

    @property
    def _mean_entries(self) -> float:
        return float(self._searcher.postings.table.counts.mean())

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """See Structure. Raises CorruptFileError for a damaged list."""
        return self._searcher.search(queries, k, parameters["nprobe"], allowed)

    def read(self, start: int, stop: int) -> Vectors:
        """See Structure. Raises ValueError if originals are kept."""
        if self._codes is None:
            raise ValueError(f"the index has no {CODES}: read the originals of the segment")
        return self._searcher.codec.decode(self._codes.read(start, stop))
