"""The vectors that lists stand for, in memory, and which of them are nearest.

    heads.faiss  their graph (Malkov and Yashunin 2018), or no graph if they are few

Heads are directions: they are kept at length 1, whatever the lengths of the vectors. So the order
of inner products with them is that of distances to them, for the vectors that go into lists and
for queries alike.
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
"""Fewer heads are compared one by one: a graph gains nothing there."""

NEIGHBORS = 24
"""Links of a head in the graph (twice as many at the bottom)."""

EF_CONSTRUCTION = 80

LEAST_EF = 32
"""A search of the graph keeps at least so many candidates..."""

EF_RATIO = 1.5
"""... and so many for each list that is asked for. With 4,000 heads recall@10 of 12 and 16 lists
was .968 and .980, and .969 and .982 where all heads were compared: graph and 8 bits cost .1 %."""

FLAT_RATIO = 8
"""For more than 1 of 8 lists all heads are compared: the graph would be visited almost whole."""


class Heads:
    """Unit vectors, numbered as their lists. Safe for several threads.

    Those of a graph are 8-bit integers: of the 8 nearest of 8,000 this loses 0.2 to 0.4 %, for half
    the memory of float16 (measured on clustered vectors of 384 dimensions).
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
        """Dimensions of a head."""
        return int(self._index.d)

    @property
    def memory(self) -> int:
        """Bytes held, about: the vectors, and for a graph its links."""
        links = 0 if self._graph is None else self._graph.hnsw.neighbors.size() * 4
        return len(self) * int(self._flat.code_size) + int(links)

    @classmethod
    def building_bytes(cls, heads: int, width: int) -> int:
        """Memory of a build beside the vectors that it is given."""
        return heads * (5 * width + (2 * NEIGHBORS + 6) * 4 + 64)

    @classmethod
    def build(cls, vectors: Vectors, seed: int) -> Self:
        """Index float32 [h, d], at least one, in their order. Lengths do not matter.

        One thread adds to the graph, so that the same vectors and `seed` give the same file.
        """
        if len(vectors) == 0:
            raise ValueError("there are no heads to index")
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
        """Write the file."""
        write(self._index, directory / FILE)

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Read the file. Raises ValueError for what is not one."""
        path = directory / FILE
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing")
        try:
            index = faiss().read_index(str(path))
        except (RuntimeError, MemoryError) as error:  # A damaged length can be any number.
            raise ValueError(f"{FILE}: FAISS cannot read it") from error
        if not isinstance(index, faiss().IndexHNSWSQ | faiss().IndexFlat):
            raise ValueError(f"{FILE}: holds another kind of index")
        return cls(index)

    def nearest(self, queries: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        """The nearest heads of each query: lists int64 [n, count] and inner products float32
        [n, count], best first. `count` is cut to the number of heads. Exact (but for 8 bits)
        where a large part of all heads is asked for, else by the graph.

        queries: float32 [n, d], contiguous.
        """
        count = min(count, len(self))
        if self._graph is None or count * FLAT_RATIO >= len(self):
            return self._compare_all(queries, count)
        ef = max(LEAST_EF, int(count * EF_RATIO))
        options = faiss().SearchParametersHNSW(efSearch=ef)
        similarities, lists = self._graph.search(queries, count, params=options)
        if lists[:, -1].min(initial=0) < 0:  # The graph can leave heads out of reach.
            missed = lists[:, -1] < 0
            lists[missed], similarities[missed] = self._compare_all(queries[missed], count)
        return lists, similarities

    def _compare_all(self, queries: Vectors, count: int) -> tuple[NDArray[np.int64], Vectors]:
        similarities, lists = self._flat.search(queries, count)
        return lists, similarities


def normalized(vectors: Vectors) -> Vectors:
    """At length 1; zeros stay."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64))
    return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)[:, None]


@contextmanager
def _one_thread(library: Any) -> Iterator[None]:
    """FAISS works in this thread alone, and as before afterwards."""
    threads = library.omp_get_max_threads()
    library.omp_set_num_threads(1)
    try:
        yield
    finally:
        library.omp_set_num_threads(threads)
