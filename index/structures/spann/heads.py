"""Heads: vectors in memory, each of which represents one inverted list on disk.

    heads.faiss  the heads in a graph (Malkov and Yashunin 2018), or a flat index of few heads

Heads are normalised to length 1. Ordering by inner product with heads then equals ordering by
distance to them, both for queries and for the vectors in lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ...arrays.vectors import Vectors
from ..faiss_calls import faiss, write

FILE = "heads.faiss"

FLAT_BELOW = 2_000
"""Fewer heads than this are compared one by one, because a graph is not faster."""

NEIGHBORS = 24
"""Number of links per head in the graph; twice as many on the lowest level."""

EF_CONSTRUCTION = 80
"""Length of the candidate list while the graph is built."""

LEAST_EF = 32
"""Minimum length of the candidate list in a graph search."""

EF_RATIO = 1.5
"""Length of the candidate list, relative to the number of lists requested. Measured with 4,000
heads: recall@10 for 12 and 16 lists is .968 and .980, against .969 and .982 if all heads are
compared exactly. Graph and 8-bit codes together cost .1 to .2 %."""

FLAT_RATIO = 8
"""If more than 1/8 of the lists are requested, all heads are compared: the graph search would visit
almost all of them."""


class Heads:
    """The heads of all lists, as unit vectors. Head i represents list i. Thread-safe.

    A graph stores heads as 8-bit integers, which take half the memory of float16. This loses 0.2 to
    0.4 % of the 8 nearest among 8,000 heads (measured on clustered vectors of 384 dimensions).
    """

    def __init__(self, index: Any) -> None:
        self._index = index
        graph = isinstance(index, faiss().IndexHNSW)
        self._flat = faiss().downcast_index(index.storage) if graph else index
        self._graph = index if graph else None

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def width(self) -> int:
        """Number of dimensions of a head."""
        return int(self._index.d)

    @property
    def memory(self) -> int:
        """Approximate bytes in memory: the heads and the links of the graph."""
        links = 0 if self._graph is None else self._graph.hnsw.neighbors.size() * 4
        return len(self) * int(self._flat.code_size) + int(links)

    @classmethod
    def building_bytes(cls, heads: int, width: int) -> int:
        """Return the memory in bytes that `build` needs in addition to its argument `vectors`."""
        return heads * (5 * width + (2 * NEIGHBORS + 6) * 4 + 64)

    @classmethod
    def build(cls, vectors: Vectors, seed: int) -> Self:
        """Return an index of heads, built from vectors float32 [h, d] with h >= 1.

        Vector i, normalised, becomes the head of list i. Uses a single thread, so that equal
        vectors and seeds result in equal files.
        """
        if len(vectors) == 0:
            raise ValueError("no heads to index: at least one vector is required")
        directions = normalized(vectors)
        width = directions.shape[1]
        library = faiss()
        if len(vectors) < FLAT_BELOW:
            index = library.IndexFlatIP(width)
        else:
            index = library.IndexHNSWSQ(
                width, library.ScalarQuantizer.QT_8bit, NEIGHBORS, library.METRIC_INNER_PRODUCT
            )
            index.hnsw.efConstruction = EF_CONSTRUCTION
            index.hnsw.rng = library.RandomGenerator(seed)
        with _one_thread(library):
            index.train(directions)
            index.add(directions)
        return cls(index)

    def save(self, directory: Path) -> None:
        """Write heads.faiss into `directory`."""
        write(self._index, directory / FILE)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Read heads.faiss. Raises FileNotFoundError if it is missing, ValueError if damaged."""
        path = directory / FILE
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing")
        try:
            index = faiss().read_index(str(path))
        except (RuntimeError, MemoryError) as error:  # A damaged length can be any number.
            raise ValueError(
                f"FAISS cannot read {FILE}: expected a complete FAISS index"
            ) from error
        if not isinstance(index, faiss().IndexHNSWSQ | faiss().IndexFlat):
            raise ValueError(
                f"{FILE} must be an IndexHNSWSQ or IndexFlat of FAISS, got {type(index).__name__}"
            )
        return cls(index)

    def nearest(self, queries: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """Return the nearest heads of each query, and the inner products of query and heads.

        queries: contiguous float32 [n, d].
        count:   number of heads for each query, at most the number of all heads.

        The heads are int64 [n, count], best first. The inner products are float32 [n, count], in
        the same order. Without a graph, or if `count` is a large share of the heads, all heads are
        compared. Otherwise the graph is searched.
        """
        count = min(count, len(self))
        if self._graph is None or count * FLAT_RATIO >= len(self):
            return self._compare_all(queries, count)
        ef = max(LEAST_EF, int(count * EF_RATIO))
        options = faiss().SearchParametersHNSW(efSearch=ef)
        similarities, lists = self._graph.search(queries, count, params=options)
        if lists[:, -1].min(initial=0) < 0:  # Some heads may be unreachable in the graph.
            missed = lists[:, -1] < 0
            lists[missed], similarities[missed] = self._compare_all(queries[missed], count)
        return lists, similarities

    def _compare_all(self, queries: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        similarities, lists = self._flat.search(queries, count)
        return lists, similarities


def normalized(vectors: Vectors) -> Vectors:
    """Return the vectors scaled to length 1, float32 [n, d]. Zero vectors stay zero."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]


@contextmanager
def _one_thread(library: Any) -> Iterator[None]:
    """Limit FAISS to one thread inside the context."""
    threads = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        yield
    finally:
        library.omp_set_num_threads(threads)
