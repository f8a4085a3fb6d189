"""Sends the spans of requests to a collector, in OpenTelemetry's protocol over HTTP (OTLP).

A thread of its own sends batches of spans. A request only appends its spans to a bounded queue. If
the collector is slow or absent, the oldest spans of the queue are dropped.

Nothing here uses or changes the global providers of OpenTelemetry, so no other library in the
process begins to record spans.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .... import __version__
from ....core import ConfigError, MissingExtraError
from ....core.trace.spans import Attributes
from ..settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

    from .recorded import RequestSpan

logger = logging.getLogger(__name__)

VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""Variables of OpenTelemetry that name a collector, if the setting `traces` does not."""
PATH = "/v1/traces"
CLOSE_SECONDS = 2.0
"""Maximum number of seconds in which the last spans are sent when the server stops."""
QUIET_SECONDS = 60.0
"""Minimum time between two log lines on a collector that does not take spans."""
_PARENT = ("traceparent", "tracestate")


def tracing_of(settings: Settings, environment: Mapping[str, str]) -> Tracing | None:
    """Return what records the spans of a server; None if the operator names no collector.

    The collector is the setting `traces`, or a variable of VARIABLES.

    Raises MissingExtraError if the setting is there and the package `opentelemetry-sdk` is not, and
    ConfigError for an invalid address. If a variable names the collector, which programs on a
    machine may share, both are logged instead.
    """
    if settings.traces is not None:
        return Tracing(endpoint(settings.traces), settings.traces_sampling)
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() != "otlp":
        return None
    for name in VARIABLES:
        if address := environment.get(name, "").strip():
            try:  # The address of one signal is complete; the path is added to the other.
                whole = address if name == VARIABLES[0] else address.rstrip("/") + PATH
                return Tracing(endpoint(whole), settings.traces_sampling)
            except (MissingExtraError, ConfigError) as error:
                logger.warning("%s: no traces are sent: %s", name, error)
                return None
    return None


def endpoint(address: str) -> str:
    """Return the URL to which spans are sent. PATH is added to an address without a path.

    Raises ConfigError for an address that is not a URL of HTTP.
    """
    found = urlsplit(address)
    if found.scheme not in ("http", "https") or not found.hostname:
        raise ConfigError(
            "must be the address of a collector, such as http://collector:4318", field="traces"
        )
    return address if found.path.strip("/") else address.rstrip("/") + PATH


def _host(url: str) -> str:
    """Return the host and port of a URL, without the name and password of a user."""
    return urlsplit(url).netloc.rpartition("@")[2]


def require_otel() -> None:
    """Raise MissingExtraError if a package of OpenTelemetry that sends spans is missing."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace.export  # noqa: F401
    except ImportError:
        raise MissingExtraError("opentelemetry-sdk", "otel") from None


class Tracing:
    """Records the spans of requests and sends them to a collector.

    url:      URL that receives the spans.
    sampling: share of the traces that are sent, from 0 to 1; None: by the variables
              OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG, by default 1. The caller's decision,
              in the header `traceparent`, wins.

    Raises MissingExtraError if the package `opentelemetry-sdk` is missing.
    """

    def __init__(self, url: str, sampling: float | None = None) -> None:
        require_otel()
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        from .recorded import Sink

        # Its own log lines would come with every batch; `_sender` logs failures, rarely.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self.spans: Counter[str] = Counter(sent=0, failed=0)
        """Outcome -> number of spans: "sent", or "failed" if the collector did not take them."""
        resource = _resource()
        self._provider = TracerProvider(
            sampler=None if sampling is None else ParentBasedTraceIdRatio(sampling),
            resource=resource,
            shutdown_on_exit=False,
        )
        sender = _sender(OTLPSpanExporter(endpoint=url), self.spans, url)
        processor = BatchSpanProcessor(sender)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("twindex", __version__)
        scope = InstrumentationScope("twindex", __version__)
        self._sink = Sink(processor.on_end, resource, scope)
        self._propagator = TraceContextTextMapPropagator()

    def begin(
        self, name: str, attributes: Attributes, headers: Mapping[bytes, bytes]
    ) -> RequestSpan:
        """Begin the span of a request. headers: of the request; `traceparent` names its parent."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        from .recorded import RequestSpan

        parent = Context()
        if b"traceparent" in headers:
            found = {n: headers.get(n.encode(), b"").decode("latin-1") for n in _PARENT}
            parent = self._propagator.extract(found, parent)
        span = self._tracer.start_span(name, parent, SpanKind.SERVER, attributes)
        return RequestSpan(self._sink, span)

    def close(self) -> None:
        """Send the last spans, for at most CLOSE_SECONDS."""
        thread = Thread(target=self._provider.shutdown, name="twindex-traces", daemon=True)
        thread.start()
        thread.join(CLOSE_SECONDS)
        if thread.is_alive():
            logger.warning("the collector of traces did not take the last spans in time")


def _resource() -> Resource:
    """Return what describes this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES apply."""
    from opentelemetry.sdk.resources import Resource

    found = Resource.create({"service.version": __version__})
    if str(found.attributes.get("service.name", "")).startswith("unknown_service"):
        found = found.merge(Resource({"service.name": "twindex"}))
    return found


def _sender(exporter: SpanExporter, spans: Counter[str], url: str) -> SpanExporter:
    """Return an exporter that counts spans, and logs rarely that they cannot be sent."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Sender(SpanExporter):
        _silent_until = 0.0

        def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(batch)
            done = result is SpanExportResult.SUCCESS
            spans["sent" if done else "failed"] += len(batch)
            if done:
                self._silent_until = 0.0
            elif monotonic() >= self._silent_until:
                self._silent_until = monotonic() + QUIET_SECONDS
                logger.warning("%s does not take traces; they are dropped", _host(url))
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Sender()
