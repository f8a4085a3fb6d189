"""Choose how a collection's vectors are stored, by measuring on the collection itself."""

from __future__ import annotations

import math
import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import ConfigError, InvalidInputError, NoProgress, Progress, Qrels, Query
from ...encoders import EncoderLoader, load_encoder
from ...index import CollectionConfig
from ...search import Collection
from ..beir import judged_queries
from .choice import COSTS, Choice, Limits, choose, front
from .grid import Grid, Skipped, default_grid, plan
from .measure import ROUNDS, TIMED_QUERIES, Point, measure, obstacle
from .quality import MEASURE, K, Quality, Truth
from .sample import Sample, dense_leg, encoded_queries, read_sample, sampled_queries

SAMPLE = 50_000
"""Passages measured on, at most."""
QUERIES = 500
"""Queries measured with, at most."""


@dataclass(frozen=True, slots=True)
class Report:
    """What `tune` found.

    measured_on: passages, documents and queries, and where they come from. notes: what a reader
    must know about the figures. reference: quality of exact search. front: points that no other
    beats.
    """

    collection: str
    config: CollectionConfig
    leg: str
    measured_on: Mapping[str, Any]
    machine: Mapping[str, Any]
    notes: Sequence[str]
    measure: str
    reference: Quality
    limits: Limits
    points: Sequence[Point]
    skipped: Sequence[Skipped]
    front: Sequence[int]
    choice: Choice

    @property
    def recommended(self) -> Point | None:
        """The point to take; None = nothing meets the limits."""
        chosen = self.choice.recommended
        return None if chosen is None else self.points[chosen]

    @property
    def recommended_config(self) -> CollectionConfig | None:
        """The configuration of the collection with the leg stored so."""
        if self.recommended is None:
            return None
        how = dict(self.recommended.storage)
        leg = self.config.legs[self.leg].model_copy(update=how)
        return self.config.model_copy(update={"legs": {**self.config.legs, self.leg: leg}})


def tune(
    collection: Collection,
    leg: str = "dense",
    *,
    limits: Limits | None = None,
    grid: Grid | None = None,
    only: Mapping[str, Sequence[str]] | None = None,
    queries: Sequence[Query] | None = None,
    qrels: Qrels | None = None,
    sample: int = SAMPLE,
    number: int = QUERIES,
    depth: int = K,
    seed: int = 0,
    encoders: EncoderLoader = load_encoder,
    progress: Progress | None = None,
) -> Report:
    """Measure a grid of codec x projection x index on the vectors of a dense leg, and recommend
    one that meets the limits; the collection is only read.

    queries: None = documents of the collection, which do not count as found for themselves. With
             `qrels`, which need queries, quality is nDCG@10 over documents, of the queries that
             have judgements; without, it is the share of the 10 nearest documents that is found
             (recall@10 against exact search).
    sample:  passages measured on, at most; all relevant documents are among them.
    number:  queries, at most. depth: documents asked for by each search. only: see `plan`.

    Bytes per vector are those of the files, memory that of the index for the whole collection,
    latency that of single queries after warming up. All but times is the same for the same seed,
    as far as FAISS is reproducible.

    The method is that of Huerga-Perez et al. (2025, arXiv:2505.00105): quality over bytes per
    vector, and the best point within the budget. Here int8 codes are de-quantised, what is decoded
    gets its length back, and the index, its memory and its latency are measured too.

    Raises NotFoundError or InvalidInputError for a leg that cannot be stored otherwise, ConfigError
    for a grid of which nothing can be measured.
    """
    limits, progress = limits or Limits(), progress or NoProgress()
    _check(
        limits,
        queries,
        qrels,
        {"sample": (sample, 2), "number": (number, 1), "depth": (depth, K), "seed": (seed, 0)},
    )
    if queries is not None and qrels is not None:
        queries = judged_queries(list(queries), qrels)
        if not queries:
            raise InvalidInputError("none of them has judgements", field="queries")
        qrels = {query.id: qrels[query.id] for query in queries}
    config = dense_leg(collection, leg)
    grid = (grid or default_grid()).with_recall(limits.min_recall)
    plan(grid, lambda storage: None, only)  # A wrong name should not be found after reading.
    vectors = read_sample(collection, leg, sample, seed, qrels, progress)
    planned = plan(grid, lambda storage: obstacle(storage, vectors), only)
    if queries is None:
        asked = sampled_queries(vectors, number, seed)
    else:
        _check_relevant(vectors, qrels)
        asked = encoded_queries(collection, leg, queries, qrels, number, seed, encoders, progress)
    truth = Truth(vectors, asked, config)
    # Beside the collection: on the disk that will be searched.
    with tempfile.TemporaryDirectory(
        dir=collection.path.parent, prefix=".twindex-tune-"
    ) as scratch:
        points, failed = measure(
            planned.storages,
            grid,
            config,
            vectors,
            asked,
            truth,
            depth,
            Path(scratch),
            progress,
        )
    progress.close()
    if not points:
        reasons = "; ".join(f"{item.name}: {item.reason}" for item in failed[:3])
        raise ConfigError(f"nothing could be measured: {reasons}", field="grid")
    measured_on = {
        "passages": len(vectors),
        "of_passages": vectors.total,
        "documents": vectors.documents,
        "dimensions": int(vectors.vectors.shape[1]),
        "queries": len(asked),
        "of_queries": asked.given,
        "queries_are": "documents" if asked.sampled else "given",
        "timed_queries": min(TIMED_QUERIES, len(asked)),
        "rounds": ROUNDS,
        "depth": depth,
        "seed": seed,
    }
    return Report(
        collection=str(collection.path),
        config=collection.config,
        leg=leg,
        measured_on=measured_on,
        machine=_machine(),
        notes=_notes(measured_on, vectors.rounded),
        measure=MEASURE if asked.qrels is not None else f"recall@{K}",
        reference=truth.quality,
        limits=limits,
        points=points,
        skipped=[*planned.skipped, *failed],
        front=front(points, COSTS),
        choice=choose(points, limits),
    )


def _check(
    limits: Limits,
    queries: Sequence[Query] | None,
    qrels: Qrels | None,
    numbers: Mapping[str, tuple[int, int]],
) -> None:
    """numbers: argument -> its value and the least that it may be."""
    if qrels is not None and queries is None:
        raise InvalidInputError("go with queries only", field="qrels")
    if queries is not None and not queries:
        raise InvalidInputError("there are none", field="queries")
    for name in (*COSTS, "min_recall"):
        value = getattr(limits, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise InvalidInputError("must be more than 0, and finite", field=name)
    if limits.min_recall is not None and limits.min_recall > 1:
        raise InvalidInputError("must be at most 1", field="min_recall")
    for field, (value, least) in numbers.items():
        if value < least:
            raise InvalidInputError(f"must be at least {least}", field=field)


def _check_relevant(sample: Sample, qrels: Qrels | None) -> None:
    """Raise InvalidInputError for judgements by which all configurations are worth nothing."""
    if qrels is None:
        return
    present = set(sample.ids.values())
    relevant = (name for grades in qrels.values() for name, grade in grades.items() if grade > 0)
    if present.isdisjoint(relevant):
        raise InvalidInputError(
            "no document that is relevant to one of the queries is in the collection; do they name "
            "documents by the same ids?",
            field="qrels",
        )


def _machine() -> dict[str, Any]:
    """What the times were taken on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model na"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _notes(on: Mapping[str, Any], rounded: bool) -> list[str]:
    notes = []
    if on["passages"] < on["of_passages"]:
        notes.append(
            f"Measured on {on['passages']:,} of {on['of_passages']:,} passages. Memory and the "
            "times of flat indexes are in proportion for all; times of other indexes are those of "
            "the sample, and grow more slowly than the collection. Recall falls a little as it "
            "grows."
        )
    if on["queries"] < on["of_queries"] and on["queries_are"] == "given":
        notes.append(f"{on['queries']:,} of {on['of_queries']:,} queries were drawn.")
    if on["queries_are"] == "documents":
        notes.append(
            "Queries are documents of the collection, which do not count as found for themselves. "
            "Real queries may be harder: measure with yours when you have some."
        )
    if rounded:
        notes.append(
            "The collection keeps vectors that are rounded already, and quality is relative to "
            "these."
        )
    return notes
