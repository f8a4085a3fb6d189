"""Prometheus metrics of one server. Each server has its own registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from ....core import Usage
from ....core.answers import Answer
from .shared import Mirror, Reading, SharedMetrics

_RERANK_COUNTS = {
    "calls": "Prompts or pairs that the models of rerankers read.",
    "prompt_tokens": "Tokens in these prompts and pairs.",
    "completion_tokens": "Tokens that models of rerankers generated.",
    "cache_hits": "Judgements that came from the cache, without a call.",
}
"""Field of Usage -> description of its metric, which each reranker has."""

_ANSWER_COUNTS = {
    "calls": "Prompts that the models of generators read.",
    "prompt_tokens": "Tokens in these prompts.",
    "completion_tokens": "Tokens that models of generators wrote.",
}
"""Field of Usage -> description of its metric, which each generator has."""

_EMBED_COUNTS = {
    "texts": "Texts that were embedded for requests.",
    "tokens": "Tokens of these texts that encoders read.",
}
"""Name of a count -> description of its metric, which each encoder has."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)


METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
"""HTTP methods with their own label. All other methods have the label OTHER."""
OTHER = "other"
UNMATCHED = "unmatched"
"""Label for a request that matches no route."""


class Metrics:
    """The metrics of a server: numbers and times of requests, search stages, rerankings,
    answers and embeddings.
    """

    def __init__(self, shared: SharedMetrics | None = None) -> None:
        """shared: what several workers count together; None: this process is alone."""
        self.registry = CollectorRegistry()
        self._mirrors: list[Mirror] = []
        self._shared = shared
        # Metrics of several workers are in files, which one collector reads and adds up.
        own = None if shared is not None else self.registry
        if shared is None:
            ProcessCollector(registry=self.registry)
        else:
            shared.register(self.registry)
        self._requests = Counter(
            "twindex_requests",
            "Requests answered; status 0: the connection broke before an answer.",
            ("method", "route", "status"),
            registry=own,
        )
        self._latency = Histogram(
            "twindex_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=own,
        )
        self._stages = Histogram(
            "twindex_search_stage_seconds",
            "Time in each stage of a search.",
            ("stage",),
            buckets=_SECONDS,
            registry=own,
        )

        self._by_collection = Histogram(
            "twindex_search_seconds",
            "Time that all stages of a search took together, without answers.",
            ("collection",),
            buckets=_SECONDS,
            registry=own,
        )
        self._reranks = Counter(
            "twindex_reranks",
            "Queries reranked, by final status.",
            ("model", "status"),
            registry=own,
        )
        self._rerank_seconds = Histogram(
            "twindex_rerank_seconds",
            "Time that reranking a query took.",
            ("model",),
            buckets=_SECONDS,
            registry=own,
        )
        self._rerank_counts = {
            field: Counter(f"twindex_rerank_{field}", meaning, ("model",), registry=own)
            for field, meaning in _RERANK_COUNTS.items()
        }

        self._answers = Counter(
            "twindex_answers",
            "Answers, by outcome: answered, no_answer, or failed if a model failed.",
            ("generator", "outcome"),
            registry=own,
        )
        self._answer_seconds = Histogram(
            "twindex_answer_seconds",
            "Time that an answer took, with its search.",
            ("generator",),
            buckets=_SECONDS,
            registry=own,
        )
        self._first_token_seconds = Histogram(
            "twindex_answer_first_token_seconds",
            "Time from the start of a generator to its first text.",
            ("generator",),
            buckets=_SECONDS,
            registry=own,
        )
        self._answer_counts = {
            field: Counter(f"twindex_answer_{field}", meaning, ("generator",), registry=own)
            for field, meaning in _ANSWER_COUNTS.items()
        }

        self._embed_counts = {
            field: Counter(f"twindex_embed_{field}", meaning, ("model",), registry=own)
            for field, meaning in _EMBED_COUNTS.items()
        }
        self._embed_seconds = Histogram(
            "twindex_embed_seconds",
            "Time that a request for embeddings took.",
            ("model",),
            buckets=_SECONDS,
            registry=own,
        )

        self._by_stage: dict[str, Histogram] = {}
        self._by_request: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time one request. route: path of the route, with `{id}` in place of an id."""
        if method not in METHODS:
            method = OTHER
        found = self._by_request.get((method, route, status))
        if found is None:
            counter = self._requests.labels(method, route, str(status))
            found = counter, self._latency.labels(method, route)
            self._by_request[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def search(self, timings: Mapping[str, float], collection: str | None = None) -> None:
        """Record the stages of one search.

        timings: stage -> milliseconds.
        collection: name of the collection; None: the search of an answer.
        """
        if collection is not None:
            seconds = sum(timings.values()) / 1e3
            self._by_collection.labels(collection).observe(seconds)
        for stage, milliseconds in timings.items():
            histogram = self._by_stage.get(stage)
            if histogram is None:
                histogram = self._by_stage[stage] = self._stages.labels(stage)
            histogram.observe(milliseconds / 1e3)

    def rerank(self, model: str, status: str, seconds: float, usage: Usage) -> None:
        """Count and time the reranking of one query. model: name of the reranker."""
        self._reranks.labels(model, status).inc()
        self._rerank_seconds.labels(model).observe(seconds)
        for field, counter in self._rerank_counts.items():
            counter.labels(model).inc(getattr(usage, field))

    def answer(self, answer: Answer, seconds: float) -> None:
        """Count and time one answer, with its search."""
        name = answer.generator
        self._answers.labels(name, answer.outcome).inc()
        self._answer_seconds.labels(name).observe(seconds)
        if (first := answer.timings.get("first_token")) is not None:
            self._first_token_seconds.labels(name).observe(first / 1e3)
        self.answer_usage(name, answer.usage)

    def answer_usage(self, generator: str, usage: Usage) -> None:
        """Count the usage of an answer, also of one that failed or was cancelled."""
        for field, counter in self._answer_counts.items():
            counter.labels(generator).inc(getattr(usage, field))

    def failed_answer(self, generator: str) -> None:
        """Count an answer that a model did not complete. generator: name of the generator."""
        self._answers.labels(generator, "failed").inc()

    def embedding(self, model: str, texts: int, tokens: int, seconds: float) -> None:
        """Count and time one request for embeddings. model: name of an encoder, or of a leg."""
        self._embed_seconds.labels(model).observe(seconds)
        for field, value in {"texts": texts, "tokens": tokens}.items():
            self._embed_counts[field].labels(model).inc(value)

    def register(
        self, family: Family, name: str, meaning: str, labels: tuple[str, ...], read: Reading
    ) -> None:
        """Register a gauge or counter whose values `read` returns at each scrape.

        Several workers add up their counters. Their gauges are those of the worker that replies.
        """
        if self._shared is not None and family is CounterMetricFamily:
            counter = Counter(name, meaning, labels, registry=None)
            self._mirrors.append(Mirror(counter, read))
            return
        self.registry.register(_Read(partial(family, name, meaning, labels=labels), read))

    def mirror(self) -> None:
        """Let other workers see the present values of registered counters."""
        for mirror in self._mirrors:
            mirror.update()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        self.mirror()
        return generate_latest(self.registry)


Family = type[GaugeMetricFamily] | type[CounterMetricFamily]


class _Read(Collector):
    """Collector of a metric whose values `read` returns.

    family: creates the metric, without values.
    """

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
