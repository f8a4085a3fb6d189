"""Builds an index of the sample for each configuration, and measures searches in the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import Progress, Representation, TwindexError
from ...index import DenseLeg, FlatConfig, TrialSegment, VectorSearch, VectorStorage
from ...index.dense.segment import VectorSegment
from .grid import Grid, Skipped, label
from .quality import Quality, Searcher, Truth
from .sample import Queries, Sample

TIMED_QUERIES = 100
ROUNDS = 5
WARM = 5
"""Number of warm-up queries that are not timed."""
_MANY = 2**31


@dataclass(frozen=True, slots=True)
class Point:
    """The measured figures of one configuration: a vector storage and possibly a recall target.

    name:          short name of the storage, with the recall target.
    storage:       the storage, with the recall target of the searches.
    parameters:    search parameters that were chosen to reach the recall target. None: a search
                   compares all vectors.
    quality:       nDCG@10 if there are judgements, else recall@10.
    recall:        recall@10 against exact search.
    ndcg:          nDCG@10. None without judgements.
    bytes_per_vector: bytes per vector on disk.
    memory:        memory of the index in bytes, extrapolated to all passages of the collection. For
                   an exact scan of the original vectors, it is the size of these vectors.
    p50_ms, p95_ms: median and 95th percentile of the latency of a single query. Measured on the
                   sample; for a flat index extrapolated to all passages of the collection.
    cpu_ms:        mean CPU time of a query, extrapolated like the latency.
    build_seconds: time for building the index of the sample.
    loss:          measurements of the codec's loss of precision. None: not measured.
    """

    name: str
    storage: VectorStorage
    parameters: Mapping[str, int] | None
    quality: float
    recall: float
    ndcg: float | None
    bytes_per_vector: float
    memory: float
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    build_seconds: float
    loss: Mapping[str, Any] | None

    @property
    def keeps_originals(self) -> bool:
        """True if the original vectors are stored, as float16 or float32."""
        return self.storage.kept != "none"

    def as_json(self) -> dict[str, Any]:
        """Return the figures as a JSON object."""
        value = asdict(self)
        value["storage"] = self.storage.model_dump(mode="json", exclude_none=True)
        return value


@dataclass(frozen=True, slots=True)
class _Target:
    """One way to search a built index (a recall target), and the quality of its results."""

    storage: VectorStorage
    search: VectorSearch | None
    parameters: Mapping[str, int] | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class _BuiltSegment:
    """An index of the sample on disk, and the ways to search it."""

    storage: VectorStorage
    directory: Path
    config: DenseLeg
    targets: Sequence[_Target]
    described: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Times:
    """The times of one round of searches.

    wall: seconds of each query.
    cpu:  mean CPU seconds per query.
    """

    wall: NDArray[np.float64]
    cpu: float


def obstacle(storage: VectorStorage, sample: Sample) -> str | None:
    """Return the reason why a vector storage cannot be measured; None if it can be measured.

    The reason is that the collection or the sample is too small for an approximate index.
    """
    if storage.index.searches_exactly(storage, _MANY):
        return None
    if storage.index.searches_exactly(storage, sample.total):
        limit = getattr(storage.index, "flat_below", None)
        which = "so few" if limit is None else f"fewer than {limit:,} (flat_below)"
        return (
            f"the collection has {sample.total:,} passages, and {which} are searched exactly, "
            "without an index"
        )
    indexed = _always_indexed(storage)
    if indexed.index.searches_exactly(indexed, len(sample)):
        return f"a sample of {len(sample):,} passages is too small to build it"
    return None


def measure(
    storages: Sequence[VectorStorage],
    grid: Grid,
    leg: DenseLeg,
    sample: Sample,
    queries: Queries,
    truth: Truth,
    depth: int,
    scratch: Path,
    progress: Progress,
) -> tuple[list[Point], list[Skipped]]:
    """Build an index of the sample for each storage, and measure its quality and latency.

    Returns the figures, and the configurations that could not be measured. Times are measured in
    rounds, each of which includes all storages, so a slow phase of the machine affects all equally.

    leg:     the leg's current configuration, whose storage is replaced.
    truth:   results of exact search, for recall.
    depth:   number of documents that each search requests.
    scratch: a folder for the indexes.
    """
    built: list[_BuiltSegment] = []
    skipped: list[Skipped] = []
    progress.start("build", len(storages), "configurations")
    for number, storage in enumerate(storages):
        try:
            one, left = _build(storage, grid, leg, sample, truth, depth, scratch / str(number))
            built.append(one)
            skipped += left
        except (TwindexError, RuntimeError, ValueError, MemoryError) as error:
            # If one storage fails, the measurements of the other storages must not be lost.
            reason = str(error) or type(error).__name__
            skipped.append(Skipped(label(storage), reason.splitlines()[0]))
        progress.advance()
    ways = sum(len(one.targets) for one in built)
    progress.start("time", ROUNDS * ways, "searches")
    timed = queries.vectors[:TIMED_QUERIES]
    rounds = [[_time(one, sample, timed, depth, progress) for one in built] for _ in range(ROUNDS)]
    points = []
    for number, one in enumerate(built):
        for way, target in enumerate(one.targets):
            times = [turn[number][way] for turn in rounds]
            points.append(_point(one, target, times, sample))
    return points, skipped


def _build(
    storage: VectorStorage,
    grid: Grid,
    leg: DenseLeg,
    sample: Sample,
    truth: Truth,
    depth: int,
    directory: Path,
) -> tuple[_BuiltSegment, list[Skipped]]:
    config = leg.model_copy(update=dict(_always_indexed(storage)))
    directory.mkdir(parents=True)
    began = perf_counter()
    VectorSegment.build(directory, Representation(dense=sample.vectors), config)
    seconds = perf_counter() - began
    part = VectorSegment.open(directory, config)
    described = part.description()
    reach = TrialSegment(config, part, sample.owners).reach(depth)
    targets, skipped = [], []
    seen = []
    for recall in reversed(grid.targets(storage)):
        wanted = None if recall is None else VectorSearch(recall=recall)
        usual = storage.index.search
        parameters = part.parameters(wanted or usual, reach)
        if recall is not None and parameters is None:
            name = label(storage)
            skipped.append(Skipped(f"{name} @{recall:g}", "does not reach this recall"))
            continue
        if recall is not None and parameters in seen:
            continue  # A lower target with the same parameters is the same search.
        seen.append(parameters)
        quality = truth.measure(Searcher(sample, config, part, depth, wanted))
        targets.append(_Target(_with_recall(storage, recall), wanted, parameters, quality))
    return _BuiltSegment(storage, directory, config, targets[::-1], described, seconds), skipped


def _time(
    one: _BuiltSegment, sample: Sample, queries: NDArray[np.float32], depth: int, progress: Progress
) -> list[_Times]:
    """Search one query after another, in each way to search an index, and return the times."""
    part = VectorSegment.open(one.directory, one.config)
    times = []
    for target in one.targets:
        searcher = Searcher(sample, one.config, part, depth, target.search)
        for i in range(min(WARM, len(queries))):
            searcher(queries[i : i + 1])
        wall = np.empty(len(queries))
        cpu = process_time()
        for i in range(len(queries)):
            began = perf_counter()
            searcher(queries[i : i + 1])
            wall[i] = perf_counter() - began
        times.append(_Times(wall, (process_time() - cpu) / len(queries)))
        progress.advance()
    return times


def _point(one: _BuiltSegment, target: _Target, times: Sequence[_Times], sample: Sample) -> Point:
    # For each query, the median over the rounds removes most of the effect of other programs.
    wall = np.median([turn.wall for turn in times], axis=0)
    cpu = float(np.median([turn.cpu for turn in times]))
    growth = sample.total / len(sample)
    slower = growth if isinstance(one.storage.index, FlatConfig) else 1.0
    held = one.described["memory"]
    if one.described["calibration"] is None:
        held = one.described["bytes_per_vector"] * len(sample)
    recall = getattr(target.storage.index, "recall", None)
    name = label(target.storage) + ("" if recall is None else f" @{recall:g}")
    return Point(
        name=name,
        storage=target.storage,
        parameters=target.parameters,
        quality=target.quality.value,
        recall=target.quality.recall,
        ndcg=target.quality.ndcg,
        bytes_per_vector=one.described["bytes_per_vector"],
        memory=held * growth,
        p50_ms=float(np.percentile(wall, 50)) * 1e3 * slower,
        p95_ms=float(np.percentile(wall, 95)) * 1e3 * slower,
        cpu_ms=cpu * 1e3 * slower,
        build_seconds=one.seconds,
        loss=one.described["loss"],
    )


def _always_indexed(storage: VectorStorage) -> VectorStorage:
    """Return a copy of a storage whose index is built even for few vectors, such as a sample."""
    if isinstance(storage.index, FlatConfig):
        return storage
    index = storage.index.model_copy(update={"flat_below": 0})
    return storage.model_copy(update={"index": index})


def _with_recall(storage: VectorStorage, recall: float | None) -> VectorStorage:
    """Return a copy of a storage with the target `recall`; None: return `storage` itself."""
    if recall is None:
        return storage
    return storage.model_copy(update={"index": storage.index.model_copy(update={"recall": recall})})
