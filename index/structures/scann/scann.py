"""ScaNN (Guo et al. 2020; extra `scann`): anisotropic product quantisation in a tree.

    scann_assets.pbtxt and others   ScaNN's own files, held in memory

ScaNN does not support filters, so filtered searches request additional candidates. It cannot
decode vectors, so originals must be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from math import ceil, sqrt
from pathlib import Path
from typing import Any, Self

import numpy as np

from ....core import ConfigError, MissingExtraError, Progress
from ...arrays.npy import load, save
from ...arrays.vectors import Vectors, VectorSource
from ...protocol import Mask, Ranking
from ..faiss_calls import blocks, ladder_values
from ..ivf.coarse import list_count
from ..protocol import Parameters, VectorStorage, settings
from .config import ScannConfig

ASSETS = "scann_assets.pbtxt"
SHAPE = "scann_shape.npy"
"""int64 [3]: number of vectors, dimensions and leaves."""

_BLOCK = 2
"""Number of dimensions that share 4 bits."""
_THRESHOLD = 0.2
"""Threshold of the anisotropic loss: smaller inner products, relative to the length of the vector,
do not count."""
_LEAVES = 2.24
"""Default number of leaves, as a multiple of the square root of the number of vectors."""
_TRAINED = 100
"""Number of training vectors for each leaf."""
_SOAR = 1.5
"""Weight of SOAR, which stores each vector in a second leaf. Measured with 200,000 vectors: recall
.98 takes 155 us with second leaves and more than 830 us without."""
_EFFORT = 0.1
"""Cost of scanning a code, relative to scoring an original vector."""


class ScannTree:
    """A Structure that searches a ScaNN tree."""

    exact_vectors = None
    """See Structure. The tree stores only codes."""

    def __init__(self, searcher: Any, rows: int, leaves: int, size: int) -> None:
        """Create the structure from its open files.

        searcher: ScaNN searcher.
        rows:     number of vectors.
        leaves:   number of tree leaves.
        size:     bytes of all files.
        """
        self._searcher = searcher
        self._rows = rows
        self._leaves = leaves
        self.memory = size

    def __len__(self) -> int:
        return self._rows

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """See Structure. Loads all vectors into memory."""
        if storage.kept == "none":
            raise ConfigError(
                'ScaNN cannot decode vectors, so `originals` must not be "none": '
                'use "float16" or "float32"',
                field="originals",
            )
        library = _scann()
        everything = np.empty((len(vectors), vectors.width), np.float32)
        done = 0
        for block in blocks(vectors, memory):
            everything[done : done + len(block)] = block
            done += len(block)
            progress.advance(len(block))
        wanted = settings(storage, ScannConfig).leaves or round(_LEAVES * sqrt(len(vectors)))
        leaves = list_count(len(vectors), wanted)
        builder = library.builder(everything, 10, "dot_product")
        if leaves > 1:
            builder = builder.tree(
                leaves,
                max(1, leaves // 32),
                training_sample_size=_TRAINED * leaves,
                min_partition_size=1,
                soar_lambda=_SOAR,
            )
        searcher = builder.score_ah(_BLOCK, _THRESHOLD).build()
        searcher.serialize(str(directory), relative_path=True)
        save(directory / SHAPE, np.array([*everything.shape, leaves], np.int64))

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        library = _scann()
        shape = load(directory / SHAPE)
        if shape.shape != (3,) or shape.dtype != np.int64 or (shape < 1).any():
            raise ValueError(
                f"{SHAPE} must contain 3 positive int64 numbers, "
                f"got {shape.dtype} {np.array2string(shape, threshold=3)}"
            )
        if (directory / "scann_docids.pkl").exists():  # Loading a pickle can run code.
            raise ValueError(
                "scann_docids.pkl is a pickle, which could run code when loaded: remove the file"
            )
        (directory / ASSETS).stat()
        try:
            searcher = library.load_searcher(str(directory))
        except (RuntimeError, ValueError) as error:
            raise OSError(
                f"ScaNN cannot read {ASSETS} or a file that is listed there ({error})"
            ) from error
        rows, _, leaves = shape.tolist()
        if searcher.size() != rows:
            raise ValueError(
                f"the files of ScaNN must have {rows} vectors (the number in {SHAPE}), "
                f"got {searcher.size()}"
            )
        size = sum(file.stat().st_size for file in directory.iterdir() if _own(file))
        return cls(searcher, rows, leaves, size)

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors.

        See `Structure.building_bytes`.
        """
        return rows * (2 * 4 * width + width // 4 + 8)  # ScaNN copies its input.

    def ladder(self) -> Sequence[Parameters]:
        """Return the search parameters to calibrate, cheapest first, all with the same keys.

        See `Structure.ladder`.
        """
        pairs = [(probe, 4) for probe in ladder_values(self._leaves)]
        pairs += [(self._leaves, times) for times in (8, 16)]
        return [{"nprobe": probe, "oversample": times} for probe, times in pairs]

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query. See `Structure.cost`."""
        scanned = self._rows * min(1.0, parameters["nprobe"] / self._leaves)
        return 500 + _EFFORT * (self._leaves + scanned) + k * parameters.get("oversample", 0)

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Return up to k candidates for each query among the allowed rows, best first.

        See `Structure.search`.
        """
        found = Ranking.empty(len(queries), k)
        passing = self._rows if allowed is None else int(np.count_nonzero(allowed))
        if passing == 0:
            return found
        nprobe = min(parameters["nprobe"], self._leaves)
        # 1.5 times the number of rows that contain k allowed ones if these are spread evenly.
        wanted = k if allowed is None else ceil(1.5 * k * self._rows / passing)
        wanted = min(wanted, self._rows)
        for index, query in enumerate(queries):
            rows, scores = self._searcher.searcher.search(query, wanted, wanted, nprobe)
            if allowed is not None:
                kept = allowed[rows]
                rows, scores = rows[kept], scores[kept]
            number = min(k, len(rows))
            found.rows[index, :number] = rows[:number]
            found.scores[index, :number] = scores[:number]
        return found

    def read(self, start: int, stop: int) -> Vectors:
        """Raise ValueError: ScaNN cannot decode vectors. Originals are always kept."""
        raise ValueError("ScaNN cannot decode vectors: read the originals of the segment")


def _scann() -> Any:
    try:
        return import_module("scann.scann_ops.py.scann_ops_pybind")
    except ImportError as error:
        raise MissingExtraError("scann", "scann") from error


def _own(file: Path) -> bool:
    """Return True for a file of this index, False for other files of the segment."""
    return file.name not in ("vectors.npy", "projection.npz", "storage.json")
