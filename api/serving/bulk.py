"""Write the documents of bulk requests: one JSON document per line."""

from __future__ import annotations

import copy
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from ...core import (
    ConflictError,
    Document,
    InvalidInputError,
    Usage,
    WriteReport,
    add_usages,
)
from ...search import Collection
from ...search.encoding.courtesy import COURTESY, Slices
from ...sources import CheckedDocuments, parse_document
from ...sources.records.exact_json import parse_json

BATCH = 256
"""Maximum number of lines in a batch. An interrupted job continues after its last full batch."""
ERRORS_KEPT = 100
"""Maximum number of errors that a job stores. All errors are counted."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a bulk request that is not blank: a document, or an invalid line with its error.

    number: line number, from 1.
    error:  `code`, `line`, `detail` and `field` of an invalid line; None for a valid line.
    status: HTTP status of this line in the reply.
    """

    number: int
    id: str | None
    document: Document | None = None
    error: dict[str, Any] | None = None
    status: int = 200

    def item(self) -> dict[str, Any]:
        """Return the entry for this line in `items` of the reply."""
        item: dict[str, Any] = {"id": self.id, "status": self.status}
        return item if self.error is None else {**item, "error": self.error}


def parse_lines(lines: Iterable[bytes], start: int = 1) -> Iterator[Line]:
    """Yield a Line for each line that is not blank. start: number of the first line."""
    for number, line in enumerate(lines, start):
        if line.strip():
            yield _parse(number, line)


def check_lines(collection: Collection, lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines, with an error in place of each document that the collection cannot store.

    Such a document has too many passages, or vectors that the collection does not accept, or it is
    outside the part of the collection, or has the id of a document outside.
    """
    for line in lines:
        if line.document is not None:
            try:
                collection.check_document(line.document)
            except InvalidInputError as error:
                found = {
                    "code": error.code,
                    "line": line.number,
                    "field": error.field if (error.field or "").startswith("vectors") else "text",
                    "detail": error.message,
                }
                line = replace(line, document=None, error=found, status=422)
            except ConflictError as error:
                found = {"code": error.code, "line": line.number, "field": "id"}
                found["detail"] = str(error)
                line = replace(line, document=None, error=found, status=409)
        yield line


def _parse(number: int, line: bytes) -> Line:
    try:
        value = parse_json(line)
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
    """The progress of a bulk write.

    documents: number of valid lines.
    written:   number of documents that were written. If lines that are written together have the
               same id, only the last of them counts.
    replaced:  number of documents that replaced a stored document.
    unchanged: number of documents that were skipped, because an equal document was already stored.
    passages:  number of passages that were encoded.
    failed:    number of invalid lines.
    truncated: leg -> number of passages that its encoder did not read to the end.
    errors:    errors of the first ERRORS_KEPT invalid lines.
    usage:     calls, tokens and time of language models; None if no encoder is a language model.
    """

    documents: int = 0
    written: int = 0
    replaced: int = 0
    unchanged: int = 0
    passages: int = 0
    failed: int = 0
    truncated: dict[str, int] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    usage: Usage | None = None

    @classmethod
    def resumed(cls, stored: Mapping[str, Any]) -> BulkResult:
        """Return the BulkResult from which `asdict` made the dictionary `stored`."""
        own = copy.deepcopy(dict(stored))
        usage = own.get("usage")
        return cls(**{**own, "usage": None if usage is None else Usage(**usage)})

    def write(
        self,
        collection: Collection,
        lines: Iterable[Line],
        record: Callable[[sqlite3.Connection, int], None] | None = None,
    ) -> None:
        """Write the documents of the valid lines durably, and count the invalid lines.

        record: called in each transaction with the database connection and the number of the last
        line written. When `record` is called, the counts in `self` include this line.
        """
        slices = Slices(COURTESY)
        given, lines = lines, []
        for line in given:
            lines.append(line)
            slices.pause()
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
            self.written = before.written + report.documents
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
            # If all documents are unchanged, there may be no transaction, in which
            # `count_and_record` would be called.
            count(collection.add(CheckedDocuments(documents()), record=count_and_record))
        else:
            for line in lines:
                self._count_error(line)

    def _count_error(self, line: Line) -> None:
        self.failed += 1
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append({"id": line.id, "status": line.status, **(line.error or {})})
