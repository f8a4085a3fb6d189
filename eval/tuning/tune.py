"""Chooses how a collection's vectors are stored, by measurements on the collection itself."""

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
"""Default of the maximum number of passages in the sample."""
QUERIES = 500
"""Default of the maximum number of queries."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of `tune`.

    collection:  path of the collection.
    config:      configuration of the collection.
    leg:         name of the leg.
    measured_on: how many passages, documents and queries were used, and the origin of the queries.
    machine:     processor, cores, system and Python version of the machine, for the times.
    notes:       remarks that are necessary to interpret the figures.
    measure:     name of the quality measure.
    reference:   quality of exact search on the sample.
    limits:      the limits that the recommended configuration must meet.
    points:      the measured configurations, with their figures.
    skipped:     configurations that were not measured, with the reason.
    front:       indexes of the points on the Pareto front of quality and costs.
    choice:      the recommendation.
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
        """The recommended configuration. None: no configuration meets all limits."""
        chosen = self.choice.recommended
        return None if chosen is None else self.points[chosen]

    @property
    def recommended_config(self) -> CollectionConfig | None:
        """The collection's configuration with the recommended storage; None if there is none."""
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
    """Measure ways to store the vectors of a dense leg, and recommend one that meets the limits.

    The collection is not changed.

    leg:     name of the dense leg.
    limits:  limits of cost and recall. None: no limits.
    grid:    the vector storages to measure. None: `default_grid`.
    only:    parts of the grid to keep; see `plan` in `twindex.eval.tuning.grid`. None: the whole
             grid.
    queries: the queries to measure with. None: documents of the collection serve as queries. Such a
             document does not count as a result of its own query.
    qrels:   judgements, allowed only with `queries`. Quality is then nDCG@10, and queries without
             judgements are ignored. Without judgements, quality is recall@10 against exact search.
    sample:  maximum number of passages in the sample. The sample includes all relevant documents.
    number:  maximum number of queries. If there are more, some are chosen at random.
    depth:   number of documents that each search requests.
    seed:    seed of the random samples.

    Equal seeds give equal figures except times, as far as FAISS is reproducible. `Point` describes
    the figures.

    The method is that of Huerga-Perez et al. (2025, arXiv:2505.00105): measure quality and bytes
    per vector, and choose the best configuration within the limits. Differences from the paper:
    int8 codes are de-quantised, decoded vectors are scaled to their original length, and indexes,
    memory and latency are measured too.

    Raises NotFoundError or InvalidInputError for a leg whose storage cannot be tuned, and
    ConfigError if nothing in the grid can be measured.
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
            raise InvalidInputError(
                "none of the queries has judgements; check that queries and judgements belong to "
                "the same data set",
                field="queries",
            )
        qrels = {query.id: qrels[query.id] for query in queries}
    config = dense_leg(collection, leg)
    grid = (grid or default_grid()).with_recall(limits.min_recall)
    plan(grid, lambda storage: None, only)  # Reject an unknown name before reading vectors.
    vectors = read_sample(collection, leg, sample, seed, qrels, progress)
    planned = plan(grid, lambda storage: obstacle(storage, vectors), only)
    if queries is None:
        encoded = sampled_queries(vectors, number, seed)
    else:
        _check_relevant(vectors, qrels)
        encoded = encoded_queries(collection, leg, queries, qrels, number, seed, encoders, progress)
    truth = Truth(vectors, encoded, config)
    # The folder is beside the collection, so searches read the same disk as later.
    with tempfile.TemporaryDirectory(
        dir=collection.path.parent, prefix=".twindex-tune-"
    ) as scratch:
        points, failed = measure(
            planned.storages,
            grid,
            config,
            vectors,
            encoded,
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
        "queries": len(encoded),
        "of_queries": encoded.given,
        "queries_are": "documents" if encoded.sampled else "given",
        "timed_queries": min(TIMED_QUERIES, len(encoded)),
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
        measure=MEASURE if encoded.qrels is not None else f"recall@{K}",
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
    """Raise InvalidInputError for invalid arguments of `tune`.

    numbers: argument -> (value, smallest valid value).
    """
    if qrels is not None and queries is None:
        raise InvalidInputError("requires `queries`; set both or neither", field="qrels")
    if queries is not None and not queries:
        raise InvalidInputError("must have at least one query, got none", field="queries")
    for name in (*COSTS, "min_recall"):
        value = getattr(limits, name)
        if value is not None and not (value > 0 and math.isfinite(value)):
            raise InvalidInputError(f"must be above 0 and finite, got {value:g}", field=name)
    if limits.min_recall is not None and limits.min_recall > 1:
        raise InvalidInputError(f"must be at most 1, got {limits.min_recall:g}", field="min_recall")
    for field, (value, least) in numbers.items():
        if value < least:
            raise InvalidInputError(f"must be at least {least}, got {value}", field=field)


def _check_relevant(sample: Sample, qrels: Qrels | None) -> None:
    """Raise InvalidInputError if the sample has no relevant document.

    Otherwise the quality of every configuration would be 0.
    """
    if qrels is None:
        return
    present = set(sample.ids.values())
    relevant = (name for grades in qrels.values() for name, grade in grades.items() if grade > 0)
    if present.isdisjoint(relevant):
        raise InvalidInputError(
            "no relevant document is in the collection; check that judgements and collection use "
            "the same document ids",
            field="qrels",
        )


def _machine() -> dict[str, Any]:
    """Describe the machine that the times were measured on."""
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
    """Return remarks that a reader needs to interpret the figures.

    on:      the value of `Report.measured_on`.
    rounded: True if the collection stores rounded vectors (`Sample.rounded`).
    """
    notes = []
    if on["passages"] < on["of_passages"]:
        notes.append(
            f"Measured on {on['passages']:,} of {on['of_passages']:,} passages. Memory, and the "
            "times of flat indexes, are extrapolated to all passages. Times of other indexes are "
            "those of the sample; they grow more slowly than the collection. Recall is slightly "
            "lower in the whole collection."
        )
    if on["queries"] < on["of_queries"] and on["queries_are"] == "given":
        notes.append(f"{on['queries']:,} of {on['of_queries']:,} queries were chosen at random.")
    if on["queries_are"] == "documents":
        notes.append(
            "Queries are documents of the collection. A document does not count as a result of "
            "its own query. Real queries may be harder: measure with your own queries if you have "
            "some."
        )
    if rounded:
        notes.append(
            "The collection stores rounded vectors. Quality is measured against the rounded "
            "vectors, not against the encoder's vectors."
        )
    return notes
