"""Logs of the server on standard error: lines of text, or one JSON object per line.

Messages of unexpected exceptions may contain texts of documents or queries. Tracebacks therefore
have the kinds of exceptions and no messages, except at the level "debug".
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal

import orjson

from ...core.trace.spans import REQUEST_ID, trace_id

FIELDS = ("method", "path", "status", "milliseconds", "request_id", "key", "trace_id")
"""Fields of a log record that become fields of the JSON object."""

_ESCAPED = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class RequestFilter(logging.Filter):
    """Adds the request that the thread works for to each record: `request_id` and `trace_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id") and (own := REQUEST_ID.get()):
            record.request_id = own
        if not hasattr(record, "trace_id") and (trace := trace_id()) is not None:
            record.trace_id = trace
        return True


class _Formatter(logging.Formatter):
    """Formats exceptions.

    worker:   number of this worker, for each line; None: this process is alone.
    messages: True: exceptions have their messages.
    """

    def __init__(self, worker: int | None = None, *, messages: bool = False) -> None:
        mark = "" if worker is None else f"[worker {worker}] "
        super().__init__(f"%(asctime)s %(levelname)s {mark}%(name)s: %(message)s")
        self._worker = worker
        self._messages = messages

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - of the base class
        if self._messages or ei[1] is None:
            return super().formatException(ei)
        return "\n".join(_lines(ei[1], set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    """Yield the lines of a traceback without messages, and first those of the error's cause."""
    seen.add(id(error))
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None and id(cause) not in seen:
        yield from _lines(cause, seen)
        yield "which led to:"
    yield "Traceback (most recent call last):"
    yield "".join(traceback.format_tb(error.__traceback__)).rstrip("\n")
    number = f" {error.errno}" if isinstance(error, OSError) and error.errno is not None else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{number}"


class TextFormatter(_Formatter):
    """Formats a log record as text. The id of its request follows the message.

    Control characters, which a path may contain, are escaped: a client cannot forge lines.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the base class
        line = super().formatMessage(record).translate(_ESCAPED)
        own = getattr(record, "request_id", "")
        return f"{line} [request {own}]" if own and own not in line else line


class JsonFormatter(_Formatter):
    """Formats a log record as a JSON object on one line.

    The object has `time`, `level`, `logger` and `message`. A record of an exception also has
    `error`, with the traceback. A record of work for a request also has `request_id`, and the line
    of the request itself all names in FIELDS. A worker adds `worker`, its number.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **({} if self._worker is None else {"worker": self._worker}),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(level: str, form: Literal["text", "json"], worker: int | None = None) -> None:
    """Write log messages of at least `level` to standard error.

    form:   "text" or "json".
    worker: number of this worker, for each line; None: this process is alone.

    Does nothing if the program has already configured handlers of the root logger.
    """
    handler = logging.StreamHandler()
    kind = JsonFormatter if form == "json" else TextFormatter
    handler.setFormatter(kind(worker, messages=level == "debug"))
    handler.addFilter(RequestFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
