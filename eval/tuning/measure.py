"""Each configuration built of the sample and searched as it would be served."""

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
"""Queries before the clock runs."""
_MANY = 2**31


@dataclass(frozen=True, slots=True)
class Point:
    """A configuration and what was measured of it.

    storage:    with the recall target it was searched with.
    parameters: what the calibration chose for that target; None = it compares all vectors.
    quality:    nDCG@10 where there are judgements, else recall@10.
    memory:     bytes that the index holds for all passages of the collection; of an exact scan of
                the originals, their size, since it reads them all.
    p50_ms, p95_ms, cpu_ms: of a single query. Those of a flat index are for all passages of the
                collection, in proportion: it compares every one. Others are as on the sample.
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
        """The vectors can be had back, as float16 at least."""
        return self.storage.kept != "none"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        value = asdict(self)
        value["storage"] = self.storage.model_dump(mode="json", exclude_none=True)
        return value


@dataclass(frozen=True, slots=True)
class _Target:
    """A way to search what was built, and how well that finds."""

    storage: VectorStorage
    search: VectorSearch | None
    parameters: Mapping[str, int] | None
    quality: Quality


@dataclass(frozen=True, slots=True)
class _Built:
    """A segment on disk and the ways to search it."""

    storage: VectorStorage
    directory: Path
    config: DenseLeg
    targets: Sequence[_Target]
    described: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class _Times:
    """Seconds of each query, and the mean CPU time of one."""

    wall: NDArray[np.float64]
    cpu: float


def obstacle(storage: VectorStorage, sample: Sample) -> str | None:
    """Why a storage cannot be measured: the collection, or the sample, is too small for it."""
    if storage.index.searches_exactly(storage, _MANY):
        return None
    if storage.index.searches_exactly(storage, sample.total):
        limit = getattr(storage.index, "flat_below", None)
        which = "so few" if limit is None else f"fewer than {limit:,} (flat_below)"
        return f"{sample.total:,} passages: {which} are searched exactly, as they are"
    always = _always(storage)
    if always.index.searches_exactly(always, len(sample)):
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
    """Build all storages in `scratch`, find how well they find, then time them in turns: what
    slows the machine for a while then slows all."""
    built: list[_Built] = []
    skipped: list[Skipped] = []
    progress.start("build", len(storages), "configurations")
    for number, storage in enumerate(storages):
        try:
            one, left = _build(storage, grid, leg, sample, truth, depth, scratch / str(number))
            built.append(one)
            skipped += left
        except (TwindexError, RuntimeError, ValueError, MemoryError) as error:
            # One kind that fails here must not lose what was measured of the others.
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
) -> tuple[_Built, list[Skipped]]:
    config = leg.model_copy(update=dict(_always(storage)))
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
            continue  # A lower target that is reached in the same way is the same search.
        seen.append(parameters)
        quality = truth.of(Searcher(sample, config, part, depth, wanted))
        targets.append(_Target(_aimed(storage, recall), wanted, parameters, quality))
    return _Built(storage, directory, config, targets[::-1], described, seconds), skipped


def _time(
    one: _Built, sample: Sample, queries: NDArray[np.float32], depth: int, progress: Progress
) -> list[_Times]:
    """One round of single queries through each way to search a segment, opened for it."""
    part = VectorSegment.open(one.directory, one.config)
    found = []
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
        found.append(_Times(wall, (process_time() - cpu) / len(queries)))
        progress.advance()
    return found


def _point(one: _Built, target: _Target, times: Sequence[_Times], sample: Sample) -> Point:
    # The median over rounds of each query leaves out what other programs did meanwhile.
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


def _always(storage: VectorStorage) -> VectorStorage:
    """With its index however few the vectors are: what is measured on a sample."""
    if isinstance(storage.index, FlatConfig):
        return storage
    index = storage.index.model_copy(update={"flat_below": 0})
    return storage.model_copy(update={"index": index})


def _aimed(storage: VectorStorage, recall: float | None) -> VectorStorage:
    """With a recall target."""
    if recall is None:
        return storage
    return storage.model_copy(update={"index": storage.index.model_copy(update={"recall": recall})})
