"""Metrics of several workers together.

Each worker counts in files of its own, named by its number. A scrape adds up the files of all
workers. A worker that replaces another continues its files, so no counter goes back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ..operations.workers import STATES, Place, metrics_of

Reading = Callable[[], Mapping[tuple[str, ...], float]]
"""Function that returns: values of a metric's labels -> value of the metric."""


class SharedMetrics:
    """The metrics that the workers of a server count together.

    Create it before the first metric of the process: the library has one place for all metrics.

    place: place of this worker.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_of(place.folder))
        number = str(place.number)
        values.ValueClass = values.MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]

    def register(self, registry: CollectorRegistry) -> None:
        """Register the collectors of all workers."""
        # The library has no types for this class.
        MultiProcessCollector(registry, str(metrics_of(self._place.folder)))  # type: ignore[no-untyped-call]
        registry.register(Workers(self._place))


class Mirror:
    """A counter that follows values which one process counts in another way. Thread-safe."""

    def __init__(self, counter: Counter, read: Reading) -> None:
        self._counter = counter
        self._read = read
        self._lock = Lock()
        self._seen: dict[tuple[str, ...], float] = {}

    def update(self) -> None:
        """Add to the counter what was counted since the last call."""
        with self._lock:
            for labels, value in self._read().items():
                before = self._seen.get(labels, 0.0)
                # A collection that was opened again begins at zero.
                self._counter.labels(*labels).inc(value - before if value >= before else value)
                self._seen[labels] = value


class Workers(Collector):
    """The processes of the workers: their states and restarts, and what each process uses."""

    def __init__(self, place: Place) -> None:
        self._board = place.board

    def collect(self) -> Iterator[Metric]:
        board = self._board
        states = GaugeMetricFamily("twindex_workers", "Workers by state.", labels=("state",))
        found = list(board.states().values())
        for state in STATES[1:]:
            states.add_metric((state,), found.count(state))
        yield states
        restarts = CounterMetricFamily(
            "twindex_worker_restarts", "How often a worker was replaced.", labels=("worker",)
        )
        for number in board.numbers:
            restarts.add_metric((str(number),), board.restarts(number))
        yield restarts
        merged: dict[str, Metric] = {}
        for number in board.alive():
            for metric in ProcessCollector(
                pid=_constant(board.pid(number)), registry=None
            ).collect():
                into = merged.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    labels = {**sample.labels, "worker": str(number)}
                    into.add_sample(sample.name, labels, sample.value)
        yield from merged.values()


def _constant(value: int) -> Callable[[], int]:
    return lambda: value
