"""The request that the current thread works for, and its spans in a distributed trace.

A server sets the request. Code below the server records spans without knowing whether anybody
collects them, and without a library for traces. Threads that work for a request run with
`in_context`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Value = str | int | float | bool
Attributes = dict[str, Value]
"""Name -> value of each attribute of a span. Neither texts of documents or queries nor secrets."""

REQUEST_ID: ContextVar[str] = ContextVar("twindex_request_id", default="")
"""Id of the request that the current thread works for; empty for other work."""


class Spans(Protocol):
    """The current span of a request. Records spans below it.

    trace_id:  id of the trace, 32 hexadecimal digits.
    recording: False if no span of this request is collected.
    """

    @property
    def trace_id(self) -> str: ...

    @property
    def recording(self) -> bool: ...

    def begin(self, name: str, attributes: Attributes, *, outgoing: bool) -> Spans:
        """Begin a span below this one. outgoing: the span is a call of another service."""

    def end(self, attributes: Attributes, error: BaseException | None) -> None:
        """End the span, and set further attributes. error: its type is the span's `error.type`."""

    def record(self, name: str, seconds: float, attributes: Attributes) -> None:
        """Record a span that ends now and began `seconds` ago."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that name this span to another service: `traceparent`."""


SPANS: ContextVar[Spans | None] = ContextVar("twindex_spans", default=None)
"""The current span of the request; None without traces."""


@contextmanager
def span(
    name: str, attributes: Attributes | None = None, *, outgoing: bool = False
) -> Iterator[Attributes]:
    """Record a `with` block as a span. Yields a dict to which the block may add attributes."""
    later: Attributes = {}
    above = SPANS.get()
    if above is None or not above.recording:
        yield later
        return
    own = above.begin(name, attributes or {}, outgoing=outgoing)
    token = SPANS.set(own)
    try:
        yield later
    except BaseException as error:
        own.end(later, error)
        raise
    else:
        own.end(later, None)
    finally:
        SPANS.reset(token)


def record(name: str, seconds: float, attributes: Attributes | None = None) -> None:
    """Record work that ends now and began `seconds` ago as a span.

    For work in a generator, which cannot be a `with` block of `span`: between two values, the
    caller of a generator would be inside it.
    """
    above = SPANS.get()
    if above is not None and above.recording:
        above.record(name, seconds, attributes or {})


def trace_id() -> str | None:
    """Return the id of the current trace; None without traces, and for one that is not recorded."""
    spans = SPANS.get()
    return None if spans is None or not spans.recording else spans.trace_id


def trace_headers() -> Mapping[str, str]:
    """Return the headers that continue the current trace in another service."""
    spans = SPANS.get()
    return {} if spans is None else spans.headers()


def in_context(work: Callable[P, T]) -> Callable[P, T]:
    """Return `work` as a function for another thread, which then works for the same request."""
    return partial(copy_context().run, work)
