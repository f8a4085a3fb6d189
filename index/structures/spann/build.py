"""Build of a spann index whose vectors do not fit into memory. Reads all vectors twice, in order.

    1  reads a sample that fits into memory, fits the codec, selects the heads (the vectors that
       represent the lists), and chooses the maximum number of lists per vector
    2  for each block of vectors, finds the lists (`closure`), encodes the vectors, and appends
       lists and codes to scratch files (`spill`)
    3  turns scratch files into posting lists (`lists`), one range of lists at a time

Finished work is kept in scratch/ with a checkpoint. A killed build that is called again continues
after the last block, or at the beginning of stage 3.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core import Progress
from ...arrays.files import sync_directory
from ...arrays.npy import save
from ...arrays.vectors import Vectors, VectorSource
from ...codecs import Codec
from ...codecs.files import CODEC, FITTED
from ..originals import random_rows
from ..protocol import VectorStorage, settings
from ..vector_search import DEFAULT_RECALL
from .candidates import nearest_heads
from .checkpoint import Checkpoint, input_digest
from .closure import assign
from .config import SpannConfig
from .heads import Heads, normalized
from .lists import length_limit, write_lists
from .replicas import Cap, choose_cap, measure_caps
from .selection import select
from .sizing import REPLICAS, Sizes, head_count, sample_size, sizes
from .spill import Spill, is_complete

FILE = "spann.json"
SCRATCH = "scratch"
SEED = 0
"""Seed of the sample, of the heads and of their graph."""
READ = 8_192
"""Number of vectors read at a time for the sample."""


def building_bytes(rows: int, width: int, storage: VectorStorage) -> int:
    """Return the minimum memory of a build in bytes.

    Counts the heads, the graph of the heads, 2 bytes for each vector, and 32 MiB.
    """
    # An estimate: assumes one byte per dimension in a code.
    heads = head_count(rows, width, settings(storage, SpannConfig))
    return heads * 4 * width + Heads.building_bytes(heads, width) + 2 * rows + (32 << 20)


def build(
    directory: Path,
    vectors: VectorSource,
    storage: VectorStorage,
    memory: int,
    progress: Progress,
) -> None:
    """See Structure.build.

    Continues a build that was killed, if vectors, storage and memory are unchanged. The result is
    deterministic for a given number of threads.
    """
    scratch = directory / SCRATCH
    source = input_digest(vectors, storage, memory)
    state = Checkpoint.load(scratch, source)
    if state is None or not is_complete(scratch, state.sizes):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        seconds: dict[str, float] = {}
        chosen = _choose(directory, vectors, storage, memory, seconds)
        state = Checkpoint(source, chosen, seconds=seconds)
        state.save(scratch)
    codec = storage.held_codec.load(directory / CODEC)
    heads, replicas = state.chosen["heads"], state.chosen["replicas"]
    plan = sizes(len(vectors), vectors.width, codec.stride, heads, replicas, memory)
    spill = Spill(scratch, heads, plan.files, codec.stride)
    state = _assign(directory, vectors, storage, codec, plan, spill, state, progress)
    with _timed(state.seconds, "lists"):
        entries = sum(state.sizes) // spill.entry_bytes
        limit = length_limit(entries, heads)
        memberships = np.zeros(len(vectors), dtype=np.uint8)
        lengths = write_lists(directory, spill, codec.stride, limit, memberships)
    if not memberships.all():
        raise RuntimeError(
            f"every vector must be in a list of the spann index, but "
            f"{np.count_nonzero(memberships == 0):,} of {len(vectors):,} are in none: "
            "this is a bug in Twindex"
        )
    report = {
        "rows": len(vectors),
        **state.chosen,
        "epsilon": settings(storage, SpannConfig).epsilon,
        "candidates": plan.candidates,
        "limit": limit,
        "cut": entries - int(lengths.sum()),
        **_list_statistics(lengths, memberships),
        "seconds": {stage: round(value, 2) for stage, value in state.seconds.items()},
    }
    (directory / FILE).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(scratch)


def _choose(
    directory: Path,
    vectors: VectorSource,
    storage: VectorStorage,
    memory: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Stage 1: fit the codec and select the heads. Return `Checkpoint.chosen`.

    Writes codec.npz, heads.faiss, scratch/heads.npy, and scratch/rows.npy (row numbers of the
    heads).

    seconds: receives the processor time of each step.
    """
    config = settings(storage, SpannConfig)
    with _timed(seconds, "sample"):
        rows, sample = _sample(vectors, sample_size(len(vectors), vectors.width, memory))
    with _timed(seconds, "codec"):
        step = max(1, -(-len(sample) // FITTED))
        codec = storage.held_codec.fit(np.ascontiguousarray(sample[::step]))
        codec.save(directory / CODEC)
    with _timed(seconds, "clustering"):
        for start in range(0, len(sample), READ):
            sample[start : start + READ] = normalized(sample[start : start + READ])
        chosen = select(sample, head_count(len(vectors), codec.stride, config), SEED)
        heads = sample[chosen]
    with _timed(seconds, "graph"):
        graph = Heads.build(heads, SEED)
        graph.save(directory)
    caps: list[Cap] = []
    if config.replicas is None:
        with _timed(seconds, "calibration"):
            vector_bytes = len(vectors) * (codec.stride + 4) / len(heads)
            recall = config.recall or DEFAULT_RECALL
            caps = measure_caps(sample, heads, graph, recall, vector_bytes, SEED)
    save(directory / SCRATCH / "heads.npy", heads)
    save(directory / SCRATCH / "rows.npy", rows[chosen])
    for path in (CODEC, "heads.faiss", f"{SCRATCH}/heads.npy", f"{SCRATCH}/rows.npy"):
        with (directory / path).open("rb") as file:
            os.fsync(file.fileno())
    sync_directory(directory)
    return {
        "sample": len(sample),
        "heads": len(heads),
        "replicas": config.replicas or choose_cap(caps, REPLICAS),
        "caps": [asdict(cap) for cap in caps],
    }


def _sample(vectors: VectorSource, wanted: int) -> tuple[NDArray[np.int64], Vectors]:
    """Return the row numbers of a random sample, ascending, and their vectors, float32 [n, d]."""
    rows = random_rows(len(vectors), wanted, SEED)
    sample = np.empty((len(rows), vectors.width), dtype=np.float32)
    for start in range(0, len(vectors), READ):
        first, last = np.searchsorted(rows, (start, start + READ))
        if first < last:
            block = vectors.read(start, min(start + READ, len(vectors)))
            sample[first:last] = block[rows[first:last] - start]
    return rows, sample


def _assign(
    directory: Path,
    vectors: VectorSource,
    storage: VectorStorage,
    codec: Codec,
    plan: Sizes,
    spill: Spill,
    state: Checkpoint,
    progress: Progress,
) -> Checkpoint:
    """Stage 2: write the lists and codes of vectors to scratch files. Return the last checkpoint.

    Skips the first `state.assigned` vectors, which are in the scratch files already.
    """
    scratch = directory / SCRATCH
    heads = Heads.open(directory)
    directions = np.load(scratch / "heads.npy")
    own = np.load(scratch / "rows.npy")
    spill.truncate(state.sizes or [0] * len(spill))
    if state.assigned:
        progress.advance(state.assigned)
    for start in range(state.assigned, len(vectors), plan.block):
        stop = min(start + plan.block, len(vectors))
        block = np.ascontiguousarray(vectors.read(start, stop))
        seconds = dict(state.seconds)
        with _timed(seconds, "nearest heads"):
            points = normalized(block)
            candidates = nearest_heads(points, directions, heads, plan.candidates)
            # A head must be in its own list, even if the graph misses it.
            first, last = np.searchsorted(own, (start, stop))
            mine = np.arange(first, last)
            here = own[first:last] - start
            missed = ~(candidates[here] == mine[:, None]).any(axis=1)
            candidates[here[missed], -1] = mine[missed]
        with _timed(seconds, "closure"):
            epsilon = settings(storage, SpannConfig).epsilon
            replicas = state.chosen["replicas"]
            lists, distances = assign(points, directions, candidates, replicas, epsilon)
        with _timed(seconds, "codes"):
            codes = codec.encode(block)
        with _timed(seconds, "spill"):
            spill.append(start, lists, distances, codes)
            state = Checkpoint(state.source, state.chosen, stop, spill.sync(), seconds)
        state.save(scratch)
        progress.advance(stop - start)
    return state


def _list_statistics(lengths: NDArray[np.int64], memberships: NDArray[np.uint8]) -> dict[str, Any]:
    counts = np.bincount(memberships)
    return {
        "mean_replicas": round(float(memberships.mean()), 4),
        "vectors_by_lists": {str(n): int(count) for n, count in enumerate(counts) if count},
        "lengths": {
            "mean": round(float(lengths.mean()), 2),
            "deviation": round(float(lengths.std()), 2),
            **{
                f"p{percent}": int(np.percentile(lengths, percent, method="nearest"))
                for percent in (0, 1, 10, 50, 90, 99, 100)
            },
        },
    }


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    before = time.process_time()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.process_time() - before
