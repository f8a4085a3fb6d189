"""Logs of the server on standard error: lines of text, or one JSON object per line."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Literal

import orjson

FIELDS = ("method", "path", "status", "milliseconds", "request_id")
"""Fields of the log line of a request, which become fields of the JSON object."""


class JsonFormatter(logging.Formatter):
    """Formats a log record as a JSON object on one line.

    The object has `time`, `level`, `logger` and `message`. A record of an exception also has
    `error`, with the traceback. A record of a request also has the names in FIELDS.

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
    mark = "" if worker is None else f"[worker {worker}] "
    handler.setFormatter(
        JsonFormatter(worker)
        if form == "json"
        else logging.Formatter(f"%(asctime)s %(levelname)s {mark}%(name)s: %(message)s")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
