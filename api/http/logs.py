"""Logs of the server on standard error: lines of text, or one JSON object per line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import orjson

from ...core.trace.spans import REQUEST_ID, trace_id

FIELDS = ("method", "path", "status", "milliseconds", "request_id", "key", "trace_id")
"""Fields of a log record that become fields of the JSON object."""


class RequestFilter(logging.Filter):
    """Adds the request that the thread works for to each record: `request_id` and `trace_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id") and (own := REQUEST_ID.get()):
            record.request_id = own
        if not hasattr(record, "trace_id") and (trace := trace_id()) is not None:
            record.trace_id = trace
        return True


class TextFormatter(logging.Formatter):
    """Formats a log record as text. The id of its request follows the message."""

    def __init__(self, worker: int | None = None) -> None:
        """worker: number of this worker, for each line; None: this process is alone."""
        mark = "" if worker is None else f"[worker {worker}] "
        super().__init__(f"%(asctime)s %(levelname)s {mark}%(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - of the base class
        line = super().formatMessage(record)
        own = getattr(record, "request_id", "")
        return f"{line} [request {own}]" if own and own not in line else line


class JsonFormatter(logging.Formatter):
    """Formats a log record as a JSON object on one line.

    The object has `time`, `level`, `logger` and `message`. A record of an exception also has
    `error`, with the traceback. A record of work for a request also has `request_id`, and the line
    of the request itself all names in FIELDS.

    worker: number of this worker, which becomes a field; None: this process is alone.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._worker,
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
    formatter = JsonFormatter(worker) if form == "json" else TextFormatter(worker)
    handler.setFormatter(formatter)
    handler.addFilter(RequestFilter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
