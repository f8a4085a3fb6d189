"""Prometheus metrics of one server, in a registry of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ...core import Usage

_RERANK_COUNTS = {
    "calls": "Prompts, or pairs, that the models of rerankers read.",
    "prompt_tokens": "Tokens in these.",
    "completion_tokens": "Tokens that models of rerankers generated.",
    "cache_hits": "Judgements that were remembered and took no call.",
}
"""Fields of Usage that are metrics of each reranker."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""Labels of their own; any other word that a client sends as its method is counted as `OTHER`."""
OTHER = "other"
UNMATCHED = "unmatched"
"""The route of a request that no route takes."""


class Metrics:
    """Counts and times requests and the stages of searches."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "twindex_requests",
            "Requests answered; status 0: broken off before an answer.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "twindex_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "twindex_search_stage_seconds",
            "Time in each stage of a search.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )

        self._reranks = Counter(
            "twindex_reranks",
            "Queries reranked, by how that ended.",
            ("model", "status"),
            registry=self.registry,
        )
        self._rerank_seconds = Histogram(
            "twindex_rerank_seconds",
            "Time that reranking a query took.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._rerank_counts = {
            field: Counter(f"twindex_rerank_{field}", meaning, ("model",), registry=self.registry)
            for field, meaning in _RERANK_COUNTS.items()
        }

        self._by_stage: dict[str, Histogram] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; `route` is its template, so that ids do not become labels."""
        if method not in METHODS:
            method = OTHER
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)

    def search(self, timings: Mapping[str, float]) -> None:
        """Record the stages of one search, in milliseconds."""
        for stage, milliseconds in timings.items():
            histogram = self._by_stage.get(stage)
            if histogram is None:
                histogram = self._by_stage[stage] = self._stages.labels(stage)
            histogram.observe(milliseconds / 1e3)

    def rerank(self, model: str, status: str, seconds: float, usage: Usage) -> None:
        """Count one reranking."""
        self._reranks.labels(model, status).inc()
        self._rerank_seconds.labels(model).observe(seconds)
        for field, counter in self._rerank_counts.items():
            counter.labels(model).inc(getattr(usage, field))

    def register(
        self, family: Family, name: str, meaning: str, labels: tuple[str, ...], read: Reading
    ) -> None:
        """Register a gauge or a count that is kept elsewhere and read when somebody asks."""
        self.registry.register(_Read(partial(family, name, meaning, labels=labels), read))

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self.registry)


Reading = Callable[[], Mapping[tuple[str, ...], float]]
"""Label values -> value."""


Family = type[GaugeMetricFamily] | type[CounterMetricFamily]


class _Read(Collector):
    """family: makes an empty one."""

    def __init__(
        self, family: Callable[[], GaugeMetricFamily | CounterMetricFamily], read: Reading
    ) -> None:
        self._family = family
        self._read = read

    def describe(self) -> Iterator[Metric]:
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        family = self._family()
        for values, value in self._read().items():
            family.add_metric(values, value)
        yield family
