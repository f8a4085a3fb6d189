"""Bulk bodies: one JSON document in each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from ..core import Document, InvalidInputError, Usage
from ..search import Engine
from ..search.usage import added
from ..sources import parse_document

BATCH = 256
"""Lines written at once, at most; a job can be continued after each batch."""
ERRORS_KEPT = 100
"""A job keeps the first errors by line; all are counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is not blank, by its number from 1: a document, or what is wrong with it."""

    number: int
    id: str | None
    document: Document | None = None
    error: dict[str, Any] | None = None
    status: int = 200

    def item(self) -> dict[str, Any]:
        """Its place in the reply."""
        item: dict[str, Any] = {"id": self.id, "status": self.status}
        return item if self.error is None else {**item, "error": self.error}


def parse_lines(lines: Iterable[bytes], start: int = 1) -> Iterator[Line]:
    """Parse each line by itself; `start` is the number of the first."""
    for number, line in enumerate(lines, start):
        if line.strip():
            yield _parse(number, line)


def _parse(number: int, line: bytes) -> Line:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        found = {"code": "malformed", "line": number, "detail": f"not JSON: {error}"}
        return Line(number, None, error=found, status=400)
    try:
        document = parse_document(value)
    except InvalidInputError as error:
        found = {
            "code": error.code,
            "line": number,
            "field": error.field,
            "detail": str(error),
        }
        given = value.get("id", value.get("_id")) if isinstance(value, dict) else None
        return Line(number, given if isinstance(given, str) else None, error=found, status=422)
    return Line(number, document.id, document)


@dataclass(slots=True)
class BulkResult:
    """What a bulk write has done so far. `unchanged`: of `documents`, those that were stored
    already; `truncated`: leg -> passages not read to their end; `usage`: of language models."""

    documents: int = 0
    replaced: int = 0
    unchanged: int = 0
    failed: int = 0
    truncated: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    usage: Usage | None = None

    @classmethod
    def resumed(cls, stored: Mapping[str, Any]) -> BulkResult:
        """What `asdict` was stored of."""
        usage = stored.get("usage")
        return cls(**{**stored, "usage": None if usage is None else Usage(**usage)})

    def write(self, engine: Engine, lines: list[Line]) -> None:
        """Write the good lines, durably, and count the bad."""
        documents = [line.document for line in lines if line.document is not None]
        if documents:
            report = engine.add(documents)
            self.documents += len(documents)
            self.replaced += report.replaced
            self.unchanged += report.unchanged
            self.usage = added(self.usage, report.usage)
            for leg, count in report.truncated.items():
                self.truncated[leg] = self.truncated.get(leg, 0) + count
        for line in lines:
            if line.error is not None:
                self.failed += 1
                if len(self.errors) < ERRORS_KEPT:
                    self.errors.append({"id": line.id, "status": line.status, **line.error})
