"""The systems that `spann.py` measures: lists on disk, with and without replicas."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twindex.core import NoProgress
from twindex.index import Int8Codec, ScalarCodec, SpannConfig, VectorStorage
from twindex.index.arrays.npy import NpyWriter
from twindex.index.arrays.prefetch import prefetch
from twindex.index.dense.rescoring import rescored
from twindex.index.structures.spann.heads import Heads
from twindex.index.structures.spann.postings import FILE, PostingsWriter
from twindex.index.structures.spann.reading import Postings
from twindex.index.structures.spann.search import Searcher
from twindex.index.structures.spann.structure import SpannIndex

from .clustered import Clustered

K = 10
MEMORY = 512 << 20
DEPTHS = sorted({round(1.19**step) for step in range(45)})
"""Numbers of lists to try, in steps of a fifth."""

Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]
Setting = Mapping[str, int]


@dataclass
class System:
    """A system with its index.

    search(queries, setting): returns rows [n, K].
    ladders: settings of growing recall.
    needs(query, setting): returns the lists, reads and bytes that a search needs, if known.
    read(query, setting): makes these reads and nothing else.
    memory, disk: bytes. originals: the bytes of `disk` that are vectors for rescoring.
    """

    name: str
    files: list[Path]
    memory: int
    ladders: list[list[Setting]]
    search: Callable[[Vectors, Setting], Rows]
    needs: Callable[[Vectors, Setting], tuple[int, int, int]] | None = None
    read: Callable[[Vectors, Setting], None] | None = None
    originals: int = 0
    build_seconds: float = 0.0
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def disk(self) -> int:
        """Bytes of all files of the system."""
        return sum(file.stat().st_size for file in self.files)


def storage(
    codec: str, replicas: int | None = None, head_share: float | None = None
) -> VectorStorage:
    """The storage configuration of SPANN lists with a codec."""
    chosen = Int8Codec() if codec == "int8" else ScalarCodec.model_validate({"kind": codec})
    return VectorStorage(index=SpannConfig(replicas=replicas, head_share=head_share), codec=chosen)


def ours(
    source: Clustered,
    folder: Path,
    codec: str,
    replicas: int | None = None,
    head_share: float | None = None,
) -> System:
    """SPANN, with float16 originals for lossy codecs. The index is stored in `folder`."""
    config = storage(codec, replicas, head_share)
    directory = folder / f"spann-{codec}-{replicas or 'default'}-{head_share or 'default'}"
    began = process_time()
    if not (directory / "spann.json").exists():
        directory.mkdir(parents=True, exist_ok=True)
        SpannIndex.build(directory, source, config, MEMORY, NoProgress())
    seconds = process_time() - began
    index = SpannIndex.open(directory, config)
    searcher = index._searcher
    files = [directory / FILE]
    if config.lossless:
        return _lists(f"SPANN {codec}", searcher, files, seconds, directory)
    originals = _originals(source, folder)
    files.append(originals)
    mapped = np.load(originals, mmap_mode="r")
    plain = mapped.view(np.ndarray)

    def search(queries: Vectors, setting: Setting) -> Rows:
        oversample = setting["oversample"]
        found = searcher.search(queries, K * max(1, oversample), setting["nprobe"], None)
        if not oversample:
            return found.rows
        if len(queries) == 1:
            prefetch(mapped._mmap, mapped.offset, 2 * source.width, found.rows)
        return rescored(found, queries, plain, K).rows

    system = _lists(f"SPANN {codec}", searcher, files, seconds, directory)
    system.search = search
    system.originals = originals.stat().st_size
    depths = [setting["nprobe"] for setting in system.ladders[0]]
    system.ladders = [
        [{"nprobe": depth, "oversample": oversample} for depth in depths]
        for oversample in (0, 2, 4)
    ]
    return system


def _lists(
    name: str, searcher: Searcher, files: list[Path], seconds: float, directory: Path
) -> System:
    postings = searcher.postings

    def wanted(query: Vectors, setting: Setting) -> Rows:
        return searcher._nearest(query, min(setting["nprobe"], len(searcher.heads)))[0]

    def needs(query: Vectors, setting: Setting) -> tuple[int, int, int]:
        extents = postings._extents(wanted(query, setting))
        # One page for each candidate.
        pages = K * setting.get("oversample", 0)
        read = sum(end - begin for begin, end in extents) + 4096 * pages
        return setting["nprobe"], len(extents) + pages, read

    def read(query: Vectors, setting: Setting) -> None:
        with postings.read(wanted(query, setting)):
            pass

    depths = [depth for depth in DEPTHS if depth <= len(searcher.heads)]
    report = directory / "spann.json"
    return System(
        name,
        files,
        searcher.heads.memory + postings.table.nbytes,
        [[{"nprobe": depth} for depth in depths]],
        lambda queries, setting: searcher.search(queries, K, setting["nprobe"], None).rows,
        needs,
        read,
        build_seconds=seconds,
        report=json.loads(report.read_text()) if report.exists() else {},
    )


def _originals(source: Clustered, folder: Path) -> Path:
    path = folder / "vectors.npy"
    if not path.exists():
        with NpyWriter(path, np.float16, columns=source.width) as writer:
            for block in source.blocks():
                writer.append(block)
    return path


def plain_ivf(source: Clustered, folder: Path, lists: int) -> System:
    """IVF with the same number of lists as SPANN, around k-means centres, without replicas.

    It has the same memory and the same reader as SPANN.
    """
    directory = folder / f"ivf-{lists}"
    codec = ScalarCodec().fit(source.read(0, 1))
    began = process_time()
    if not (directory / "done").exists():
        directory.mkdir(parents=True, exist_ok=True)
        heads = Heads.build(_centres(source, lists), 0)
        heads.save(directory)
        homes = np.concatenate([heads.nearest(block, 1)[0][:, 0] for block in source.blocks()])
        order = np.argsort(homes, kind="stable")
        bounds = np.searchsorted(homes[order], np.arange(len(heads) + 1))
        vectors = np.lib.format.open_memmap(
            directory / "scratch.npy", "w+", np.float32, (len(source), source.width)
        )
        for number, block in enumerate(source.blocks()):
            vectors[number * 65536 : number * 65536 + len(block)] = block
        with PostingsWriter(directory, codec.stride) as writer:
            for first, last in pairwise(bounds):
                rows = order[first:last].astype(np.int32)
                writer.append(rows, codec.encode(vectors[rows]))
        (directory / "scratch.npy").unlink()
        (directory / "done").touch()
    seconds = process_time() - began
    searcher = Searcher(
        Heads.open(directory), Postings(directory, codec.stride), codec, len(source)
    )
    name = f"IVF {lists:,} lists, same memory"
    return _lists(name, searcher, [directory / FILE], seconds, directory)


def _centres(source: Clustered, count: int) -> Vectors:
    """Centres by spherical k-means in two levels: about sqrt(count) clusters, each subdivided."""
    import faiss

    number = min(len(source), max(100_000, 32 * count))
    chosen = np.random.default_rng(0).choice(len(source), number, replace=False)
    sample = source.take(np.sort(chosen))

    def means(vectors: Vectors, parts: int) -> Vectors:
        kmeans = faiss.Kmeans(
            source.width, parts, niter=10, spherical=True, seed=1, min_points_per_centroid=1
        )
        kmeans.train(vectors)
        return kmeans.centroids

    coarse = means(sample, max(1, round(count**0.5)))
    homes = np.argmax(sample @ coarse.T, axis=1)
    sizes = np.bincount(homes, minlength=len(coarse))
    due = np.cumsum(sizes) * count // len(sample)
    parts = np.minimum(np.diff(due, prepend=0), sizes)
    return np.concatenate(
        [means(sample[homes == home], int(part)) for home, part in enumerate(parts) if part]
    )


def recall(found: Rows, truth: Rows) -> float:
    """The share of the true neighbours that are found."""
    return float((found[:, :, None] == truth[:, None, :]).any(axis=1).mean())


def reaching(
    system: System, queries: Vectors, truth: Rows, target: float, cost: Callable[[Setting], float]
) -> tuple[Setting, float] | None:
    """The cheapest setting that reaches a recall, and the recall it reaches; None if none does."""
    best: tuple[Setting, float] | None = None
    for ladder in system.ladders:
        found = _first(system, ladder, queries, truth, target)
        if found is not None and (best is None or cost(found[0]) < cost(best[0])):
            best = found
    return best


def _first(
    system: System, ladder: Sequence[Setting], queries: Vectors, truth: Rows, target: float
) -> tuple[Setting, float] | None:
    """The first setting that reaches a recall, by bisection: recall grows along a ladder."""
    low, high = 0, len(ladder)
    reached: dict[int, float] = {}
    while low < high:
        middle = (low + high) // 2
        reached[middle] = recall(system.search(queries, ladder[middle]), truth)
        if reached[middle] >= target:
            high = middle
        else:
            low = middle + 1
    return (ladder[low], reached[low]) if low < len(ladder) else None


def say(what: str) -> None:
    """Print progress on standard error."""
    print(f"... {what}", file=sys.stderr, flush=True)
