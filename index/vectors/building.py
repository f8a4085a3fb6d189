"""Writing the files of a dense leg in a segment: originals first, then what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...core import Progress, VectorStorage
from ..codecs.projection import Projection
from . import originals
from .built import Built, storage_of
from .calibration import calibrate
from .kinds import plain, structure_kind
from .originals import Originals, Projected, spread
from .rescoring import find
from .structure import Structure, Vectors, VectorSource

PROJECTION = "projection.npz"
FITTED = 50_000
"""Vectors that a projection is fitted on."""


def write(
    directory: Path,
    blocks: Callable[[], Iterable[Vectors]],
    rows: int,
    width: int,
    config: VectorStorage,
    memory: int,
    progress: Progress,
) -> None:
    """Write a segment's part into `directory`, which may hold what an interrupted try has left.

    blocks: gives the vectors, anew at each call. memory: see Structure.build.
    """
    storage = storage_of(config)
    if plain(storage, rows):
        half = storage.kept == "float16" or (storage.kept == "none" and not storage.lossless)
        originals.write(directory, blocks, width, half=half)
        progress.advance(rows)
        return
    # Where none are kept they are coded from what came, not from what float16 leaves of it.
    originals.write(directory, blocks, width, half=storage.kept == "float16")
    vectors = Originals.open(directory)
    projection, source = _projected(directory, vectors, storage)
    kind = structure_kind(storage)
    kind.build(directory, source, storage, memory, progress)
    structure = kind.open(directory, storage)
    if storage.kept == "none" or structure.exact_vectors is not None:
        (directory / originals.FILE).unlink()  # It stays mapped as long as it is needed here.
    calibration = calibrate(
        lambda queries, k, parameters: find(
            structure, projection, vectors.array, queries, k, parameters, None
        ),
        structure.ladder(),
        vectors,
    )
    loss = _loss(structure, source, storage)
    Built(storage, rows, width, calibration, loss).save(directory)


def _projected(
    directory: Path, vectors: Originals, storage: VectorStorage
) -> tuple[Projection | None, VectorSource]:
    if storage.projection is None:
        return None, vectors
    sample = vectors.take(spread(len(vectors), FITTED, seed=0))
    projection = Projection.fit(sample, storage.projection)
    projection.save(directory / PROJECTION)
    return projection, Projected(vectors, projection)


def _loss(
    structure: Structure, source: VectorSource, storage: VectorStorage
) -> dict[str, Any] | None:
    return None
