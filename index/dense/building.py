"""Writes the files of a dense leg in a segment.

The files contain the originals (the vectors as the encoder returned them), the projection to fewer
dimensions, the index, and the calibration (measured recall of search parameters).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...core import Progress
from ..arrays.vectors import Vectors, VectorSource
from ..codecs.files import CODEC, FITTED
from ..codecs.loss import compare, measure, round_trip
from ..codecs.projection import Projection
from ..structures import originals
from ..structures.originals import Originals, Projected, random_rows
from ..structures.protocol import Structure, VectorStorage
from . import built
from .built import Built
from .calibration import calibrate
from .rescoring import search_candidates

PROJECTION = "projection.npz"
SEAL_MEMORY = 256 << 20
"""Working memory, in bytes, for writing the delta as a segment.

The minimum that the index needs to be built is additional."""
MEASURED, PIECE = 10_000, 500
"""Number of vectors on which the loss of FAISS codecs is measured, and number per random piece."""


def write(
    directory: Path,
    blocks: Callable[[], Iterable[Vectors]],
    rows: int,
    width: int,
    storage: VectorStorage,
    memory: int,
    progress: Progress,
) -> None:
    """Write the files of a dense leg with `rows` vectors into `directory`.

    Files that an interrupted call left in the directory are removed or overwritten.

    blocks: function that returns the vectors in blocks, float32 [n, width]. It may be called
            several times.
    storage: how the vectors are stored and indexed.
    memory: working memory in bytes; see Structure.build.
    progress: is told how many vectors are done.
    """
    (directory / built.FILE).unlink(missing_ok=True)
    if storage.index.searches_exactly(storage, rows):
        for path in directory.iterdir():  # Files of an interrupted call.
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        half = storage.kept == "float16" or (storage.kept == "none" and not storage.lossless)
        originals.write(directory, blocks, width, half=half)
        progress.advance(rows)
        return
    # If no originals are kept, codes are made from the vectors as given, not from float16.
    originals.write(directory, blocks, width, half=storage.kept == "float16")
    vectors = Originals.open(directory)
    projection, source = _projected(directory, vectors, storage)
    kind = storage.index.structure(storage.used_codec)
    kind.build(directory, source, storage, memory, progress)
    structure = kind.open(directory, storage)
    calibration = calibrate(
        lambda queries, k, parameters: search_candidates(
            structure, projection, vectors, queries, k, parameters, None
        ),
        structure.ladder(),
        vectors,
    )
    loss = _loss(directory, structure, projection, vectors, storage)
    if storage.kept == "none" or structure.exact_vectors is not None:
        (directory / originals.FILE).unlink()
    Built(storage, rows, width, calibration, loss).save(directory)


def stored_projection(directory: Path, storage: VectorStorage) -> Projection | None:
    """Load the projection of a dense leg in one segment; None if its vectors are not projected.

    directory: folder with the files of this leg in the segment.

    Raises OSError if the file cannot be read, and ValueError if it is damaged.
    """
    if storage.projection is None:
        return None
    return Projection.load(directory / PROJECTION)


def _projected(
    directory: Path, vectors: Originals, storage: VectorStorage
) -> tuple[Projection | None, VectorSource]:
    if storage.projection is None:
        return None, vectors
    sample = vectors.take(random_rows(len(vectors), FITTED, seed=0))
    projection = Projection.fit(sample, storage.projection)
    projection.save(directory / PROJECTION)
    return projection, Projected(vectors, projection)


def _loss(
    directory: Path,
    structure: Structure,
    projection: Projection | None,
    vectors: Originals,
    storage: VectorStorage,
) -> dict[str, Any] | None:
    """Measure the precision that projection and codec cost. Return the measurements as JSON values.

    None: nothing is lost, or the loss is unknown because the index (ScaNN) cannot decode vectors.
    """
    codec = storage.used_codec
    if storage.lossless or codec is None:
        return None
    if (directory / CODEC).exists():
        trip = round_trip(codec.load(directory / CODEC), projection)
        return measure(trip, vectors, fitted=random_rows(len(vectors), FITTED, seed=0)).as_json()
    if not codec.decodable:
        return None
    # FAISS only decodes consecutive rows, so measure random pieces of rows.
    before, after = [], []
    for piece in random_rows(-(-len(vectors) // PIECE), MEASURED // PIECE, seed=0).tolist():
        start, stop = piece * PIECE, min((piece + 1) * PIECE, len(vectors))
        decoded = structure.read(start, stop)
        before.append(vectors.read(start, stop))
        after.append(decoded if projection is None else projection.lift(decoded))
    return compare(np.concatenate(before), np.concatenate(after)).as_json()
