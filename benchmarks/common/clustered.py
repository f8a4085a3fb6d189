"""Any number of clustered vectors, made from a seed, and the exact neighbours of held-out queries.

    cd benchmarks && python -m common.clustered --vectors 200000

A vector is a centre, plus a step in the few directions of its cluster, plus a little noise in all
directions, normalised to length 1. Clusters have unequal sizes and overlap. Blocks are made on
demand, so a million vectors need the memory of one block. A vector depends only on the seed and its
number, so the first n vectors of a larger collection are those of a smaller one.

The defaults are hard for inverted files: for 200,000 vectors in 1,024 lists, a search of 4 / 8 / 16
/ 64 lists finds .84 / .94 / .97 / .98 of the 10 nearest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .datasets import CACHE

Vectors = NDArray[np.float32]

_CHUNK = 4096
"""Vectors that are drawn together. It does not depend on the requested range."""

_QUERIES = 1 << 40
"""Number of the first chunk of queries, far above the chunk numbers of vectors."""


@dataclass(frozen=True)
class Clustered:
    """A source of clustered vectors that stores none.

    width: dimensions of a vector.
    intrinsic: dimensions of a cluster.
    clusters: number of clusters.
    spread: distance of a vector from its centre, whose length is about 1.
    noise: share of the spread that is in all directions.
    """

    vectors: int
    width: int = 384
    intrinsic: int = 18
    clusters: int = 300
    spread: float = 2.0
    noise: float = 0.25
    seed: int = 0

    def __len__(self) -> int:
        return self.vectors

    def read(self, start: int, stop: int) -> Vectors:
        """Vectors `start` to `stop`, float32 [stop - start, width]."""
        return self._span(start, min(stop, self.vectors), 0)

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors with these numbers, in their order."""
        taken = np.empty((len(rows), self.width), np.float32)
        chunks = rows // _CHUNK
        for chunk in np.unique(chunks):
            here = np.flatnonzero(chunks == chunk)
            taken[here] = self._chunk(int(chunk))[rows[here] % _CHUNK]
        return taken

    def blocks(self, rows: int = 16 * _CHUNK) -> Iterator[Vectors]:
        """All vectors, in blocks."""
        for start in range(0, self.vectors, rows):
            yield self.read(start, min(start + rows, self.vectors))

    def queries(self, number: int) -> Vectors:
        """Queries of the same distribution, none of them among the vectors."""
        return self._span(0, number, _QUERIES)

    def nearest(self, queries: int, k: int = 10) -> NDArray[np.int64]:
        """Rows of the k largest inner products of each query, [queries, k]; stored in CACHE."""
        names = ("vectors", "width", "intrinsic", "clusters", "spread", "noise", "seed")
        settings = "-".join(str(getattr(self, name)) for name in names)
        file = CACHE / f"clustered-{settings}-{queries}-{k}.npy"
        if not file.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            np.save(file, nearest(self.blocks(), self.queries(queries), k))
        return np.load(file)

    def _span(self, start: int, stop: int, offset: int) -> Vectors:
        made = np.empty((max(0, stop - start), self.width), np.float32)
        at = start
        while at < stop:
            chunk, within = divmod(at, _CHUNK)
            end = min(stop, (chunk + 1) * _CHUNK)
            made[at - start : end - start] = self._chunk(chunk + offset)[within:][: end - at]
            at = end
        return made

    def _chunk(self, number: int) -> Vectors:
        rng = np.random.default_rng([self.seed, 1, number])
        centres, bases, shares = self._mixture
        cluster = rng.choice(self.clusters, _CHUNK, p=shares)
        made = rng.standard_normal((_CHUNK, self.width), dtype=np.float32)
        made *= self.noise * self.spread / np.sqrt(self.width)
        made += centres[cluster]
        steps = rng.standard_normal((_CHUNK, self.intrinsic), dtype=np.float32)
        steps *= self.spread / np.sqrt(self.intrinsic)
        basis = cluster % len(bases)
        for kind, directions in enumerate(bases):
            here = np.flatnonzero(basis == kind)
            made[here] += steps[here] @ directions
        made /= np.linalg.norm(made, axis=1, keepdims=True)
        return made

    @cached_property
    def _mixture(self) -> tuple[Vectors, Vectors, NDArray[np.float64]]:
        """Centres [clusters, width], directions [kinds, intrinsic, width], sizes as shares."""
        rng = np.random.default_rng([self.seed, 0])
        centres = rng.standard_normal((self.clusters, self.width)) / np.sqrt(self.width)
        bases = rng.standard_normal((64, self.width, self.intrinsic))
        directions = np.linalg.qr(bases).Q.transpose(0, 2, 1)
        sizes = np.exp(rng.normal(0, 1, self.clusters))
        return (
            centres.astype(np.float32),
            np.ascontiguousarray(directions, dtype=np.float32),
            sizes / sizes.sum(),
        )


def nearest(blocks: Iterator[Vectors], queries: Vectors, k: int) -> NDArray[np.int64]:
    """Rows of the k largest inner products of each query, best first, int64 [queries, k]."""
    rows = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0), np.float32)
    first = 0
    for block in blocks:
        products = queries @ block.T
        best = np.argpartition(-products, min(k, len(block)) - 1)[:, :k]
        rows = np.hstack((rows, best + first))
        scores = np.hstack((scores, np.take_along_axis(products, best, axis=1)))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        rows = np.take_along_axis(rows, order, axis=1)
        scores = np.take_along_axis(scores, order, axis=1)
        first += len(block)
    return rows


def main() -> None:
    """Print how hard the vectors are: recall@10 of FAISS's IVF for some numbers of lists."""
    import faiss

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--vectors", type=int, default=200_000)
    parser.add_argument("--lists", type=int, default=1_024)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--clusters", type=int, default=Clustered.clusters)
    parser.add_argument("--spread", type=float, default=Clustered.spread)
    parser.add_argument("--noise", type=float, default=Clustered.noise)
    options = parser.parse_args()
    source = Clustered(
        options.vectors, clusters=options.clusters, spread=options.spread, noise=options.noise
    )
    truth, queries = source.nearest(options.queries), source.queries(options.queries)
    index = faiss.index_factory(
        source.width, f"IVF{options.lists},Flat", faiss.METRIC_INNER_PRODUCT
    )
    index.cp.spherical = True
    sample = np.random.default_rng(0).choice(len(source), min(len(source), 50_000), replace=False)
    index.train(source.take(np.sort(sample)))
    for block in source.blocks():
        index.add(block)
    for nprobe in (1, 2, 4, 8, 16, 32, 64):
        index.nprobe = nprobe
        _, found = index.search(queries, 10)
        hits = [len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]
        print(f"{nprobe:3} lists  recall@10 {np.mean(hits) / 10:.4f}", flush=True)


if __name__ == "__main__":
    main()
