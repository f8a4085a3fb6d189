"""A durable collection: documents, their passages and their encoded legs, on disk.

Every change of state is one transaction of the database; files are written and synced before the
transaction that names them. See `docs/architecture.md` for one write and one search followed
through.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...core import (
    ConflictError,
    CorruptFileError,
    DeletedCount,
    Document,
    InvalidInputError,
    Representation,
    StorageError,
    arguments,
)
from ...core.arguments import checked
from ...core.filters import Condition, check_selective
from ..arrays.files import sync_directory
from ..config import CollectionConfig
from ..store_protocol import CAPABILITIES, EncodedDocument, OutdatedError, Record, Written
from .database.database import Database, get_meta, get_number, set_meta
from .database.tables import (
    count_pending,
    delete_documents,
    insert_documents,
    insert_passages,
    last_number,
    numbers_of,
    read_config,
    read_segments,
    same_documents,
    still_there,
)
from .delta import pack
from .description import described
from .filters.field_names import unknown_fields
from .filters.selection import everything, select, select_newer
from .folder import SegmentFolder
from .follower import Follower
from .snapshot import Masks, Snapshot
from .view import LocalView

Verify = Literal["full", "size"]
"""What opening compares of each segment file: its checksum, or its size only."""
_ATTEMPTS = 20
_SIZES_SECONDS = 1.0
"""How often the sizes of mapped files are compared with those in the database."""


class LocalStore:
    """A `Store` in `directory`. Safe to use from several threads and processes."""

    capabilities = frozenset(CAPABILITIES)

    def __init__(self, directory: Path, database: Database, config: CollectionConfig) -> None:
        self.directory = directory
        self.database = database
        self.segments = SegmentFolder(directory, database)
        self._follower = Follower(self.segments, config)
        self._filters: OrderedDict[tuple[int, Condition], Masks] = OrderedDict()
        self._sizes_due = 0.0

    @classmethod
    def create(
        cls,
        directory: Path,
        config: CollectionConfig,
        *,
        state: Literal["ready", "building"] = "ready",
    ) -> LocalStore:
        """Begin an empty collection. Raises ConflictError when there is one already, and
        MissingExtraError for an index whose library is not installed."""
        config.check_installed()
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{directory}: cannot be created: {error}") from error
        database = Database.create(
            directory, {"config": config.model_dump_json(), "state": state, "fingerprints": "{}"}
        )
        store = cls(directory, database, config)
        store.segments.create()
        sync_directory(directory)
        sync_directory(directory.parent)
        return store

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        verify: Verify = "full",
        state: Literal["ready", "building"] = "ready",
        read_only: bool = False,
    ) -> LocalStore:
        """Open a collection, check its files and remove those that no row names.

        verify: "full" reads every byte and compares checksums; "size" only looks at sizes.
        Raises NotFoundError, ConflictError (a build is unfinished), CorruptFileError that names
        the first damaged file, StorageError when the database cannot be read.
        """
        database = Database.open(directory, read_only=read_only)
        try:
            if verify == "full" and (problems := database.problems(deep=False)):
                raise CorruptFileError(
                    database.path, problems[0].removeprefix(f"{database.path}: ")
                )
            with database.read() as connection:
                config = read_config(connection)
                actual = get_meta(connection, "state")
                rows = read_segments(connection)
            if actual != state:
                raise ConflictError(
                    f"{directory}: its build is not finished; run the same build again to "
                    "continue it"
                    if actual == "building"
                    else f"{directory}: holds a finished collection: add documents to it, or "
                    "remove the folder to build it anew"
                )
            store = cls(directory, database, config)
            for row in rows:
                store.segments.check(row, contents=verify == "full")
            if not read_only:
                store.segments.remove_garbage()
            if state == "ready":
                with store.view():
                    pass  # Maps every segment, so that what cannot be opened is known now.
        except BaseException:
            database.close()
            raise
        return store

    @classmethod
    def verify(cls, directory: Path, *, accept: bool = False) -> list[str]:
        """Everything wrong with the collection in `directory`, as `problems`.

        accept: from now on, do without acknowledged writes that are missing.

        Checksums are compared before any file is opened: libraries that read an index may not
        survive a damaged one. Raises as `open` for what is not a finished collection.
        """
        try:
            database = Database.open(directory, read_only=True, complete=False)
        except CorruptFileError as error:
            return [str(error)]
        try:
            if accept:
                database.accept()
            found = [*database.problems(), *SegmentFolder(directory, database).problems()]
        finally:
            database.close()
        if found:
            return found
        try:
            store = cls.open(directory, verify="size", read_only=True)
        except CorruptFileError as error:
            return [str(error)]
        try:
            return store._disagreements()
        finally:
            store.close()

    # -- reading ---------------------------------------------------------------------------

    @property
    def config(self) -> CollectionConfig:
        """The configuration. How dense legs are stored is that of the state last seen by a reader:
        another process may change it (`reconfigure`); nothing else of it ever changes."""
        return self._follower.config

    @contextmanager
    def view(self) -> Iterator[LocalView]:
        """See Store: the latest committed state."""
        with ExitStack() as stack:
            connection, snapshot = self._enter(stack)
            self._check_sizes(snapshot)
            view = LocalView(connection, snapshot, self._filters)
            try:
                yield view
            finally:
                view.close()

    def _enter(self, stack: ExitStack) -> tuple[sqlite3.Connection, Snapshot]:
        """A transaction and the snapshot of exactly the state that it sees."""
        for attempt in range(_ATTEMPTS):
            with ExitStack() as trial:
                connection = trial.enter_context(self.database.read())
                generation = get_number(connection, "generation")
                try:
                    snapshot = self._follower.snapshot(connection, generation)
                except CorruptFileError as error:
                    # A merge may have removed the files after this transaction began: look again.
                    if attempt == _ATTEMPTS - 1 or error.path.name == self.database.path.name:
                        raise
                    continue
                # Another thread may have moved on meanwhile; then this transaction is too old.
                if snapshot.generation == generation:
                    stack.push(trial.pop_all())
                    return connection, snapshot
        raise StorageError(f"{self.directory}: changes faster than it can be read")

    def _check_sizes(self, snapshot: Snapshot) -> None:
        """Raise CorruptFileError for a file that was cut short: to read it would end the process.

        At most every `_SIZES_SECONDS`, so a file that is cut between may still do so.
        """
        now = time.monotonic()
        if now < self._sizes_due:
            return
        for segment in snapshot.segments:
            self.segments.check(segment.row, contents=False)
        self._sizes_due = now + _SIZES_SECONDS

    # -- writing ---------------------------------------------------------------------------

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """See Store. The numbers are those of the documents.

        A document whose stored form is damaged has changed: writing it again replaces it.
        """
        with self.database.read() as connection:
            try:
                return same_documents(connection, documents)
            except StorageError:
                return {}

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
    ) -> Written:
        """See Store. `record` gets the transaction's connection and must only execute statements.

        Raises InvalidInputError for a leg without a row for each passage.
        """
        expected = sum(item.count for item in batch)
        for name in self.config.legs:
            if len(legs[name]) != expected:
                raise InvalidInputError(
                    f"has {len(legs[name])} rows for {expected} passages", field=name
                )
        blobs = pack(self.config, legs)
        last = {item.document.id: index for index, item in enumerate(batch)}
        with self.database.write() as connection:
            if unchanged and numbers_of(connection, list(unchanged)) != dict(unchanged):
                raise OutdatedError(f"{self.directory}: documents were replaced or deleted")
            known = numbers_of(connection, list(last))
            delete_documents(connection, list(known.values()))
            kept = [i for i, item in enumerate(batch) if last[item.document.id] == i]
            numbers = insert_documents(connection, [batch[i].document for i in kept])
            starts = [0, *accumulate(item.count for item in batch)]
            for index, number in zip(kept, numbers, strict=True):
                spans = [(p.start, p.end) for p in batch[index].passages] or [(-1, -1)]
                insert_passages(
                    connection,
                    [(number, *span, blobs[row]) for row, span in enumerate(spans, starts[index])],
                )
            written = Written(len(last), len(known))
            if record is not None:
                record(connection, written)
        return written

    @checked(ids=arguments.ids)
    def delete(self, ids: Sequence[str]) -> list[str]:
        """See Store. Durable on return."""
        with self.database.write() as connection:
            known = numbers_of(connection, ids)
            delete_documents(connection, list(known.values()))
        return [name for name in dict.fromkeys(ids) if name in known]

    def delete_where(self, where: Condition) -> DeletedCount:
        """See Store. Durable on return."""
        check_selective(where)
        # The filter is looked up before the lock is taken, as it may take long. A document never
        # changes under its number, so only numbers given meanwhile are looked at again.
        with self.database.read() as connection:
            chosen = select(connection, where).tolist()
            last = last_number(connection)
            warnings = unknown_fields(connection, where)
        with self.database.write() as connection:
            numbers = [
                *still_there(connection, chosen),
                *select_newer(connection, where, last).tolist(),
            ]
            delete_documents(connection, numbers)
        return DeletedCount(len(numbers), warnings)

    def fingerprints(self) -> dict[str, Any]:
        """See Store."""
        with self.database.read() as connection:
            return dict(json.loads(get_meta(connection, "fingerprints") or "{}"))

    def describe(self) -> dict[str, Any]:
        """See `described`."""
        with self.view() as view:
            return described(view, self.database)

    def pending(self) -> int:
        """Passages and tombstones since the last seal."""
        with self.database.read() as connection:
            return count_pending(connection, get_number(connection, "sealed"))

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """See Store."""
        stored = self.fingerprints()
        if all(leg in stored for leg in fingerprints):
            return stored
        with self.database.write() as connection:
            stored = dict(json.loads(get_meta(connection, "fingerprints") or "{}"))
            for leg, fingerprint in fingerprints.items():
                stored.setdefault(leg, dict(fingerprint))
            set_meta(connection, "fingerprints", json.dumps(stored))
        return stored

    # -- housekeeping ----------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Everything wrong on disk: segment files by checksum, the database by its own check."""
        found = [*self.database.problems(), *self.segments.problems()]
        return found or self._disagreements()

    def _disagreements(self) -> list[str]:
        """Documents that the index lacks or has too many of."""
        with self.view() as view:
            indexed = np.unique(view.owners())
            stored = everything(view.connection)
        missing = len(np.setdiff1d(stored, indexed))
        extra = len(np.setdiff1d(indexed, stored))
        found = []
        if missing:
            found.append(f"{self.directory}: {missing} documents are stored but not indexed")
        if extra:
            found.append(f"{self.directory}: {extra} documents are indexed but not stored")
        return found

    def close(self) -> None:
        """See Store."""
        self._follower.forget()
        self.database.close()
