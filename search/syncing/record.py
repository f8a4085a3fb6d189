"""Records which document came from which file, in the transactions that store the documents."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...core import SourceError
from ...index.store.manifest import (
    Manifest,
    Synced,
    SyncedDocument,
    SyncedFile,
    put_documents,
    put_file,
    record_documents,
)
from ...sources.folder import UNREADABLE
from ...sources.formats.reasons import EXTRA
from ...sources.listing import SourceFile
from .claims import Claims

_PENDING = 10_000
"""Maximum number of unchanged documents that wait for the next transaction of changed ones.

When it is reached, the unchanged documents are recorded in a separate transaction."""
_PASSING = frozenset({UNREADABLE, EXTRA})
"""Reasons of problems that may be solved without a change of the file, such as a missing extra."""


@dataclass(slots=True)
class FileContent:
    """What one file contained when it was read.

    known:  the file's row in the record of synced files, or a new row.
    state:  the file's new state for this row, without the problems.
    ids:    ids of the documents that were found.
    taken:  ids of documents that were skipped because other files own the ids.
    lost:   documents of an earlier sync that the file no longer has.
    failed: ids of parts that could not be read; "" stands for the whole file.
    problems: at most 100 problems of the file.
    reasons: reason -> number of problems, including those that are not in `problems`.
    kept:   number of documents of an earlier sync that stay because they may be in a failed part.
    begun:  True if the file's row is marked as incomplete, because only some of its documents have
            been stored so far.
    """

    file: SourceFile
    known: SyncedFile
    state: dict[str, Any]
    ids: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    lost: list[SyncedDocument] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    problems: list[SourceError] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    kept: int = 0
    begun: bool = False

    def keeps(self, id_: str) -> bool:
        """Return True if a document that was not found may be in a part that could not be read."""
        if not self.failed:
            return False
        ends = [match.start() for match in re.finditer("/", id_)]
        return not self.failed.isdisjoint(["", id_, *(id_[:end] for end in ends)])

    def row(self) -> SyncedFile:
        state = {
            **self.state,
            "problems": [as_json(error) for error in self.problems],
            "reasons": dict(self.reasons),
            "kept": self.kept,
            "taken": self.taken,
            "retry": not _PASSING.isdisjoint(self.reasons),
        }
        return replace(self.known, state=state)


class SyncRecord:
    """Collects what a sync reads, and writes it to the record of synced files.

    manifest: the record of synced files; None for a dry run, which writes nothing.
    reading:  the file that is being read; None between two files.
    """

    def __init__(self, manifest: Manifest | None, synced: Synced, claims: Claims) -> None:
        self.reading: FileContent | None = None
        self._manifest = manifest
        self._synced = synced
        self._claims = claims
        self._finished: list[FileContent] = []
        self._touched: list[SyncedFile] = []
        self._owners: dict[str, int] = {}
        self._stored: dict[str, int] = {}

    def add(self, id_: str, file: int) -> None:
        """Collect the id of a document of a file. file: number of the file."""
        self._owners[id_] = file

    def finish(self, content: FileContent) -> None:
        """Collect the content of a file that was read to its end."""
        self.reading = None
        self._finished.append(content)

    def touch(self, file: SyncedFile) -> None:
        """Collect the new state of a file whose times have changed, but not its content."""
        self._touched.append(file)

    def skip(self, numbers: Mapping[str, int]) -> None:
        """Collect documents that are stored already and unchanged.

        numbers: id -> number of the stored version of the document.
        """
        self._stored.update(numbers)
        if len(self._owners) >= _PENDING:
            self.flush()

    def flush(self) -> None:
        """Write what was collected since the last write, in a separate transaction."""
        work = (self._owners, self._finished, self._touched, self._claims.robbed)
        if self._manifest is not None and any(work):
            self._manifest.write(self.record)

    def record(self, connection: sqlite3.Connection, _: object = None) -> None:
        """Write what was collected since the last write, in the transaction of `connection`."""
        record_documents(connection, self._owners, self._stored)
        reading = self.reading
        if reading is not None and not reading.begun and reading.ids:
            # If the sync is interrupted here, the next one reads the file again.
            put_file(connection, replace(reading.known, state={}))
            reading.begun = True
        for number in self._claims.robbed:
            put_file(connection, replace(self._synced.by_number[number], state={}))
        for row in self._touched:
            put_file(connection, row)
        for content in self._finished:
            put_file(connection, content.row())
            lost = (one for one in content.lost if one.id in self._claims.retired)
            put_documents(connection, (replace(one, live=False) for one in lost))
        self._owners.clear()
        self._stored.clear()
        self._finished.clear()
        self._touched.clear()
        self._claims.robbed.clear()


def as_json(error: SourceError) -> list[Any]:
    """Return a problem as JSON values, which `from_json` reads."""
    return [str(error.path), error.line, error.field, error.reason, error.message]


def from_json(value: Sequence[Any]) -> SourceError:
    """Return a problem from the JSON values that `as_json` returned."""
    path, line, name, reason, message = value
    return SourceError(message, path=Path(path), line=line, field=name, reason=reason)
