"""Stand-ins on loopback: a collector of traces, and a language model's server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SECOND = 1e9


class Collector(ThreadingHTTPServer):
    """Receives spans in OTLP. seconds: pause before each reply. paths: the requested paths."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receive)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seconds = 0.0
        self.paths: list[str] = []
        self.resources: list[dict[str, Any]] = []
        self.spans: list[dict[str, Any]] = []
        self.raw = b""

    def wait(self, count: int, *, seconds: float = 20) -> list[dict[str, Any]]:
        """Wait for this number of spans, and return all."""
        for _ in range(int(seconds * 50)):
            if len(self.spans) >= count:
                break
            time.sleep(0.02)
        assert len(self.spans) >= count, [span["name"] for span in self.spans]
        return self.spans

    def trace(self, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Wait for the span of a request, and return it with the other spans of its trace."""
        for _ in range(1_000):
            for span in list(self.spans):
                if span["name"] == name:
                    # The span of a request ends last, so the others are in its batch or before.
                    own = [one for one in self.spans if one["trace"] == span["trace"]]
                    return span, [one for one in own if one is not span]
            time.sleep(0.02)
        raise AssertionError([span["name"] for span in self.spans])


class _Receive(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.seconds)
        self.server.paths.append(self.path)
        self.server.raw += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.resources.append(_values(group.resource.attributes))
            for scope in group.scope_spans:
                self.server.spans += [
                    {
                        "name": span.name,
                        "kind": span.kind,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "began": span.start_time_unix_nano,
                        "ended": span.end_time_unix_nano,
                        "attributes": _values(span.attributes),
                        "events": len(span.events),
                        "failed": span.status.code == span.status.STATUS_CODE_ERROR,
                    }
                    for span in scope.spans
                ]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


class Model(ThreadingHTTPServer):
    """A server of a language model that writes one text. parents: headers `traceparent`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Write)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.parents: list[str | None] = []
        self.text = "sleep"
        self.fails = False
        """True: it repeats the prompt in an error, as some servers do."""


class _Write(BaseHTTPRequestHandler):
    server: Model

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.parents.append(self.headers["traceparent"])
        message = {"role": "assistant", "content": self.server.text}
        choice = {"index": 0, "message": message, "text": self.server.text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1}
        body = json.dumps({"choices": [choice], "usage": usage}).encode()
        if self.server.fails:
            body = json.dumps({"error": {"message": f"cannot read {asked}"}}).encode()
        self.send_response(500 if self.server.fails else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def _running(server: Any) -> Iterator[Any]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def collector() -> Iterator[Collector]:
    yield from _running(Collector())


@pytest.fixture
def model() -> Iterator[Model]:
    yield from _running(Model())
