"""Calls of FAISS: search, training, files and errors.

Searches bypass the Python layer of FAISS. That layer checks and converts arguments at each call,
which takes longer than some searches. Callers must therefore pass valid arguments.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors, VectorSource
from ..codecs.config import CodecConfig, Int8Codec
from ..protocol import Mask, Ranking
from .originals import random_rows
from .protocol import Parameters, VectorStorage

SEED = 1234
"""Seed of samples and of k-means."""

_LEAST = 256
"""Number of vectors that FAISS requires to fit a codec. Fewer vectors are repeated."""


def faiss() -> Any:
    """Import and return the module faiss, untyped because its type hints are incomplete."""
    return import_module("faiss")


def search(index: Any, queries: Vectors, k: int, parameters: Any) -> Ranking:
    """Search a FAISS index for the best k rows of each query.

    queries:    contiguous float32 [n, d].
    parameters: FAISS search parameters.

    Missing results have row -1 and score -inf.
    """
    library = faiss()
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    index.search_c(
        len(queries),
        library.swig_ptr(queries),
        k,
        library.swig_ptr(scores),
        library.swig_ptr(rows),
        parameters,
    )
    if len(rows) and (rows[:, -1] < 0).any():
        scores[rows < 0] = -np.inf
    return Ranking(rows, scores)


def selector(allowed: Mask) -> Any:
    """Return a FAISS selector of the allowed rows, for use in search parameters."""
    return faiss().IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def read(path: Path) -> Any:
    """Read a FAISS index from a file, memory-mapped if possible. Raises OSError on failure."""
    library = faiss()
    try:
        return library.read_index(str(path), library.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:  # A damaged length can be any number.
        raise OSError(f"FAISS cannot read {path.name}: expected a complete FAISS index") from error


def write(index: Any, path: Path) -> None:
    """Write a FAISS index to a file."""
    faiss().write_index(index, str(path))


def scalar_type(codec: CodecConfig) -> int:
    """Return the constant QT_... of FAISS for a scalar codec."""
    kinds = faiss().ScalarQuantizer
    if isinstance(codec, Int8Codec):
        return int(kinds.QT_8bit if codec.scope == "dimension" else kinds.QT_8bit_uniform)
    names = {"float16": "QT_fp16", "bfloat16": "QT_bf16", "int4": "QT_4bit"}
    return int(getattr(kinds, names[codec.kind]))


def sample(vectors: VectorSource, number: int) -> Vectors:
    """Return a seeded random sample of at most `number` vectors, float32 [n, d]."""
    return vectors.take(random_rows(len(vectors), number, SEED))


def train(index: Any, sample: Vectors) -> None:
    """Train a FAISS index on a sample of any size, float32 [n, d] with n >= 1."""
    if hasattr(index, "pq"):
        index.pq.cp.min_points_per_centroid = 1  # Otherwise FAISS warns on standard error.
    index.train(np.resize(sample, (max(len(sample), _LEAST), sample.shape[1])))


def blocks(vectors: VectorSource, memory: int) -> Iterator[Vectors]:
    """Yield all vectors in contiguous blocks, using about `memory` bytes."""
    # FAISS needs about the same memory again for each block.
    step = min(65_536, max(1, memory // (8 * max(1, vectors.width))))
    for start in range(0, len(vectors), step):
        yield np.ascontiguousarray(vectors.read(start, min(start + step, len(vectors))))


def add_to_lists(index: Any, vectors: Vectors, first: int, lists: NDArray[np.int64]) -> None:
    """Add vectors to chosen inverted lists of a FAISS index. Vector i becomes row first + i.

    vectors: float32 [n, d].
    lists:   numbers of the lists that store each vector, int64 [n, lists per vector].
    """
    rows = np.arange(first, first + len(vectors), dtype=np.int64)
    pointer = faiss().swig_ptr
    for column in np.ascontiguousarray(lists.T):
        index.add_core(len(vectors), pointer(vectors), pointer(rows), pointer(column))


def oversamples(storage: VectorStorage) -> tuple[int, ...]:
    """Return the oversampling factors (rescored candidates per result) to calibrate.

    Empty if searches do not rescore: the index is lossless, or the originals are not kept.
    """
    codec = storage.used_codec
    if storage.lossless or storage.kept == "none":
        return ()
    if storage.projection is not None or codec is None:
        return (4, 16)
    exact = {"float32": (1,), "float16": (1,), "bfloat16": (2,), "int8": (2,)}
    # With 4-bit codes, 2 loses a point of recall and 8 gains nothing (measured, PQ and RaBitQ).
    return exact.get(codec.kind, (4,))


def ladder_values(most: int) -> list[int]:
    """Return ascending values of a search parameter to calibrate, from 1 to `most`.

    Each value is about 1.4 times the previous one, and twice the previous one above 100.
    """
    fine = [round(2 ** (step / 2)) for step in range(14)]
    coarse = [2**step for step in range(7, 31)]
    return sorted({min(most, number) for number in (*fine, *coarse)})


def ladder(name: str, values: list[int], storage: VectorStorage) -> list[Parameters]:
    """Return combinations of search parameters to calibrate.

    name:    name of the parameter that is combined with oversampling.
    values:  values of this parameter to calibrate, ascending.
    storage: storage options, from which `oversamples` derives the oversampling factors.

    The result begins with every value in combination with every factor. Then it has the largest
    value with additional, larger factors. Without rescoring, it has only the values.
    """
    wanted = oversamples(storage)
    if not wanted:
        return [{name: value} for value in values]
    pairs = [(value, times) for value in values for times in wanted]
    pairs += [(values[-1], wanted[-1] * more) for more in (2, 4)]
    return [{name: value, "oversample": times} for value, times in pairs]
