"""FAISS as the structures here use it: its C++ called with little between, its files and errors.

Its Python layer checks and converts arguments at each call, which takes longer than some searches;
here they are known to fit.
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
from .originals import spread
from .protocol import Parameters, VectorStorage

SEED = 1234

_LEAST = 256
"""Vectors without which FAISS fits no codec; fewer are repeated."""


def faiss() -> Any:
    """FAISS, imported when it is needed; its type hints do not know what is used here."""
    return import_module("faiss")


def call(index: Any, queries: Vectors, k: int, parameters: Any) -> Ranking:
    """index.search for float32 [n, d], contiguous; without a result: row -1 and score -inf."""
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
    """The rows that are allowed. Search parameters keep it alive, and it the bits."""
    return faiss().IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def read(path: Path) -> Any:
    """The index in a file, mapped where FAISS can. Raises OSError if it cannot read it."""
    library = faiss()
    try:
        return library.read_index(str(path), library.IO_FLAG_MMAP_IFC)
    except (RuntimeError, MemoryError) as error:  # A damaged length can be any number.
        raise OSError(f"{path}: FAISS cannot read it") from error


def write(index: Any, path: Path) -> None:
    """The inverse of `read`."""
    faiss().write_index(index, str(path))


def scalar_type(codec: CodecConfig) -> int:
    """What FAISS calls a codec of single dimensions."""
    kinds = faiss().ScalarQuantizer
    if isinstance(codec, Int8Codec):
        return int(kinds.QT_8bit if codec.scope == "dimension" else kinds.QT_8bit_uniform)
    names = {"float16": "QT_fp16", "bfloat16": "QT_bf16", "int4": "QT_4bit"}
    return int(getattr(kinds, names[codec.kind]))


def sample(vectors: VectorSource, number: int) -> Vectors:
    """At most `number` of the vectors, at random: the same whatever memory there is."""
    return vectors.take(spread(len(vectors), number, SEED))


def train(index: Any, sample: Vectors) -> None:
    """Fit the codec of an index, however few vectors there are."""
    if hasattr(index, "pq"):
        index.pq.cp.min_points_per_centroid = 1  # It would warn on standard error.
    index.train(np.resize(sample, (max(len(sample), _LEAST), sample.shape[1])))


def blocks(vectors: VectorSource, memory: int) -> Iterator[Vectors]:
    """All vectors, in pieces of at most `memory` bytes or so."""
    # FAISS takes about as much again for what it makes of them.
    step = min(65_536, max(1, memory // (8 * max(1, vectors.width))))
    for start in range(0, len(vectors), step):
        yield np.ascontiguousarray(vectors.read(start, min(start + step, len(vectors))))


def add_to(index: Any, vectors: Vectors, first: int, lists: NDArray[np.int64]) -> None:
    """Add vectors, numbered from `first` on, to the lists of each: int64 [n, its lists]."""
    rows = np.arange(first, first + len(vectors), dtype=np.int64)
    pointer = faiss().swig_ptr
    for column in np.ascontiguousarray(lists.T):
        index.add_core(len(vectors), pointer(vectors), pointer(rows), pointer(column))


def oversamples(storage: VectorStorage) -> tuple[int, ...]:
    """How many candidates are worth rescoring for each result; none = the scores are final."""
    codec = storage.used_codec
    if storage.lossless or storage.kept == "none":
        return ()
    if storage.projection is not None or codec is None:
        return (4, 16)
    exact = {"float32": (1,), "float16": (1,), "bfloat16": (2,), "int8": (2,)}
    # Of 4-bit codes, 2 lose a point of recall and 8 gain nothing (measured, PQ and RaBitQ).
    return exact.get(codec.kind, (4,))


def steps(most: int) -> list[int]:
    """Numbers from 1 to `most`, each about 1.4 times the one before, the large ones twice."""
    fine = [round(2 ** (step / 2)) for step in range(14)]
    coarse = [2**step for step in range(7, 31)]
    return sorted({min(most, number) for number in (*fine, *coarse)})


def rungs(name: str, values: list[int], storage: VectorStorage) -> list[Parameters]:
    """A ladder: each value with each useful oversampling; at last, more of that."""
    wanted = oversamples(storage)
    if not wanted:
        return [{name: value} for value in values]
    pairs = [(value, times) for value in values for times in wanted]
    pairs += [(values[-1], wanted[-1] * more) for more in (2, 4)]
    return [{name: value, "oversample": times} for value, times in pairs]
