"""Bulk bodies: one JSON document in each line."""

from __future__ import annotations

import copy
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ...core import Document, InvalidInputError, Usage, WriteReport, add_usages
from ...search import Collection
from ...sources import CheckedDocuments, parse_document

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


def check_lines(collection: Collection, lines: Iterable[Line]) -> Iterator[Line]:
    """Lines whose documents have too many passages for this collection become errors."""
    for line in lines:
        if line.document is not None:
            try:
                collection.check_document(line.document)
            except InvalidInputError as error:
                found = {
                    "code": error.code,
                    "line": line.number,
                    "field": "text",
                    "detail": error.message,
                }
                line = replace(line, document=None, error=found, status=422)
        yield line


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
    already; `passages`: encoded; `truncated`: leg -> passages not read to their end; `usage`: of
    language models."""

    documents: int = 0
    replaced: int = 0
    unchanged: int = 0
    passages: int = 0
    failed: int = 0
    truncated: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    usage: Usage | None = None

    @classmethod
    def resumed(cls, stored: Mapping[str, Any]) -> BulkResult:
        """What `asdict` was stored of. Shares nothing with `stored`."""
        own = copy.deepcopy(dict(stored))
        usage = own.get("usage")
        return cls(**{**own, "usage": None if usage is None else Usage(**usage)})

    def write(
        self,
        collection: Collection,
        lines: Iterable[Line],
        record: Callable[[sqlite3.Connection, int], None] | None = None,
    ) -> None:
        """Write the good lines, durably, and count the bad.

        record: runs in each transaction of documents with the number of its last line. `self`
        then counts the lines up to this one, so both can be stored together.
        """
        lines = list(lines)
        before = replace(self, truncated=dict(self.truncated))
        reached = 0

        def documents() -> Iterator[Document]:
            nonlocal reached
            for line in lines:
                reached = line.number
                if line.document is None:
                    self._count_error(line)
                else:
                    self.documents += 1
                    yield line.document

        def count(report: WriteReport) -> None:
            self.replaced = before.replaced + report.replaced
            self.unchanged = before.unchanged + report.unchanged
            self.passages = before.passages + report.passages
            self.usage = add_usages(before.usage, report.usage)
            self.truncated = dict(Counter(before.truncated) + Counter(report.truncated))

        def count_and_record(connection: sqlite3.Connection, report: WriteReport) -> None:
            count(report)
            if record is not None:
                record(connection, reached)

        if any(line.document is not None for line in lines):
            # Documents that are stored already need no transaction, and so may end unrecorded.
            count(collection.add(CheckedDocuments(documents()), record=count_and_record))
        else:
            for line in lines:
                self._count_error(line)

    def _count_error(self, line: Line) -> None:
        self.failed += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append({"id": line.id, "status": line.status, **(line.error or {})})
