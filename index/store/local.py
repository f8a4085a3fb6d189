"""The local store: documents, their passages and the indexes of all legs, in a folder on disk.

Every change of a collection is one transaction of its database. Files are written and synced before
the transaction that names them. `docs/architecture.md` describes one write and one search in steps.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...core import (
    ConflictError,
    CorruptFileError,
    Document,
    InvalidInputError,
    Representation,
    StorageError,
)
from ...core.filters import Condition
from ..arrays.files import sync_directory
from ..config import CollectionConfig
from ..store_protocol import CAPABILITIES, EncodedDocument, OutdatedError, Record, Written, taken
from .database.database import Database, get_meta, get_number, set_meta
from .database.folders import check_free
from .database.segments import read_segments
from .database.tables import (
    count_pending,
    delete_documents,
    documents_inside,
    insert_documents,
    insert_passages,
    numbers_of,
    read_config,
    read_documents,
    unchanged_documents,
)
from .delta import pack
from .description import described
from .filters.changing import ChangeMethods
from .filters.selection import all_numbers
from .filters.stored_values import StoredColumns
from .folder import SegmentFolder
from .follower import Follower
from .snapshot import Masks, Snapshot
from .view import LocalView

Verify = Literal["full", "size"]
"""How segment files are checked when a collection is opened: by checksum, or by size only."""
_ATTEMPTS = 20
_SIZE_CHECK_SECONDS = 1.0
"""Minimum time between two checks of the sizes of mapped files."""


class LocalStore(ChangeMethods):
    """A `Store` in the folder `directory`. Several threads and processes may use it at once."""

    capabilities = frozenset(CAPABILITIES)

    def __init__(self, directory: Path, database: Database, config: CollectionConfig) -> None:
        self.directory = directory
        self.database = database
        self.segments = SegmentFolder(directory, database)
        self._follower = Follower(self.segments, config)
        self._filters: OrderedDict[tuple[int, Condition], Masks] = OrderedDict()
        self._columns = StoredColumns()
        self._sizes_due = 0.0

    @classmethod
    def create(
        cls,
        directory: Path,
        config: CollectionConfig,
        *,
        state: Literal["ready", "building"] = "ready",
    ) -> LocalStore:
        """Create an empty collection in the folder `directory`.

        state: "building" for an offline build. The collection cannot be opened for searches until
            the build is finished.

        Raises ConflictError if the folder already contains a collection or other files, and
        MissingExtraError if a library that an index needs is not installed.
        """
        config.check_installed()
        check_free(directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{directory}: cannot be created ({error})") from error
        meta = {"config": config.model_dump_json(), "state": state, "fingerprints": "{}"}
        days = config.history.days if config.history is not None and state == "ready" else None
        database = Database.create(directory, meta, history_days=days)
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
        """Open a collection, check its files and remove leftover files of interrupted operations.

        verify: "full" reads every byte and compares checksums; "size" compares only sizes.
        state: the state that the collection must have; "building": an unfinished offline build.
        read_only: True: write nothing to the folder and remove no file.

        Raises NotFoundError if there is no collection, ConflictError if its state is not `state`,
        CorruptFileError for the first damaged file, and StorageError if the database cannot be
        read.
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
                    f"{directory}: the offline build of this collection is not finished; run the "
                    "same build again to continue it"
                    if actual == "building"
                    else f"{directory}: already contains a finished collection; add documents to "
                    "it, or remove the folder to build the collection again"
                )
            store = cls(directory, database, config)
            for row in rows:
                store.segments.check(row, contents=verify == "full")
            if not read_only:
                store.segments.remove_garbage()
            if state == "ready":
                with store.view():
                    pass  # Maps every segment, so that errors are raised now.
        except BaseException:
            database.close()
            raise
        return store

    @classmethod
    def verify(cls, directory: Path, *, accept: bool = False) -> list[str]:
        """Return a message for each problem of the collection in `directory`; see `problems`.

        accept: True: accept that acknowledged writes are missing, so that the collection can be
            opened without them. This call and later calls then do not report the missing writes.

        Checksums are compared before an index file is opened, because a library that reads a
        damaged index can crash. Raises the errors of `open` if there is no finished collection.
        """
        try:
            database = Database.open(directory, read_only=True, complete=False)
        except CorruptFileError as error:
            return [f"{error.path}: {error.problem}"]
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
            return [f"{error.path}: {error.problem}"]
        try:
            return store._index_problems()
        finally:
            store.close()

    # -- reading ---------------------------------------------------------------------------

    @property
    def config(self) -> CollectionConfig:
        """The configuration as this store has last read it from the database.

        Another process can change the storage of dense legs (`reconfigure`) and the paths of models
        (`repoint`). All other fields never change.
        """
        return self._follower.config

    @contextmanager
    def view(self) -> Iterator[LocalView]:
        """See Store. The view shows the latest committed state."""
        with ExitStack() as stack:
            connection, snapshot = self._read_state(stack)
            self._check_sizes(snapshot)
            view = LocalView(connection, snapshot, self._filters, self._columns)
            try:
                yield view
            finally:
                view.close()

    def _read_state(self, stack: ExitStack) -> tuple[sqlite3.Connection, Snapshot]:
        """Return a connection in a read transaction, and the snapshot of the same generation.

        The transaction ends when `stack` closes.
        """
        for attempt in range(_ATTEMPTS):
            with ExitStack() as trial:
                connection = trial.enter_context(self.database.read())
                generation = get_number(connection, "generation")
                try:
                    snapshot = self._follower.snapshot(connection, generation)
                except CorruptFileError as error:
                    # A merge may have removed the files after this transaction began: try again.
                    if attempt == _ATTEMPTS - 1 or error.path.name == self.database.path.name:
                        raise
                    continue
                # Another thread may have advanced the snapshot; this transaction is then too old.
                if snapshot.generation == generation:
                    stack.push(trial.pop_all())
                    return connection, snapshot
        raise StorageError(
            f"{self.directory}: the collection changed during each of {_ATTEMPTS} attempts to read "
            "it; try again"
        )

    def _check_sizes(self, snapshot: Snapshot) -> None:
        """Raise CorruptFileError if a mapped file of `snapshot` was truncated.

        Reading a truncated mapping would kill the process.

        The check runs at most every `_SIZE_CHECK_SECONDS`, so it can miss a recent truncation.
        """
        now = time.monotonic()
        if now < self._sizes_due:
            return
        for segment in snapshot.segments:
            self.segments.check(segment.row, contents=False)
        self._sizes_due = now + _SIZE_CHECK_SECONDS

    # -- writing ---------------------------------------------------------------------------

    def unchanged(self, documents: Sequence[Document]) -> dict[str, int]:
        """See Store. The result maps ids to document numbers.

        If a stored document is damaged, the result is empty. A write then replaces all documents,
        including the damaged one.
        """
        with self.database.read() as connection:
            try:
                return unchanged_documents(connection, documents)
            except StorageError:
                return {}

    def write(
        self,
        batch: Sequence[EncodedDocument],
        legs: Mapping[str, Representation],
        *,
        unchanged: Mapping[str, int] | None = None,
        record: Record | None = None,
        within: Condition | None = None,
        check: Callable[[Mapping[str, Document]], None] | None = None,
    ) -> Written:
        """See Store. `record` receives the transaction's connection and must not commit.

        Raises InvalidInputError if a leg does not have one row for each passage.
        """
        expected = sum(item.count for item in batch)
        for name in self.config.legs:
            if len(legs[name]) != expected:
                raise InvalidInputError(
                    f"must have one row for each of {expected} passages, got {len(legs[name])}",
                    field=name,
                )
        blobs = pack(self.config, legs)
        last = {item.document.id: index for index, item in enumerate(batch)}
        with self.database.write() as connection:
            if unchanged and numbers_of(connection, list(unchanged)) != dict(unchanged):
                raise OutdatedError(
                    f"{self.directory}: another write has replaced or deleted documents that this "
                    "write expected to be unchanged; try again"
                )
            known = numbers_of(connection, list(last))
            if other := sorted(known.keys() - documents_inside(connection, known, within).keys()):
                raise taken(other[0])
            if check is not None:
                stored = read_documents(connection, list(known.values()))
                check({name: stored[number] for name, number in known.items()})
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

    def fingerprints(self) -> dict[str, Any]:
        """Return leg -> fingerprint of the encoder that produced its vectors or terms."""
        with self.database.read() as connection:
            return dict(json.loads(get_meta(connection, "fingerprints") or "{}"))

    def describe(self) -> dict[str, Any]:
        """See Store. The docstring of `described` explains the fields."""
        with self.view() as view:
            return described(view, self.database)

    def pending(self) -> int:
        """Return the number of passages in the delta, plus the number of documents deleted from it.

        The delta contains the documents that are not in a segment yet.
        """
        with self.database.read() as connection:
            return count_pending(connection, get_number(connection, "sealed"))

    def bind(self, fingerprints: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Store encoder fingerprints (leg -> fingerprint) of the legs that have none yet."""
        stored = self.fingerprints()
        if all(leg in stored for leg in fingerprints):
            return stored
        with self.database.write() as connection:
            stored = dict(json.loads(get_meta(connection, "fingerprints") or "{}"))
            for leg, fingerprint in fingerprints.items():
                stored.setdefault(leg, dict(fingerprint))
            set_meta(connection, "fingerprints", json.dumps(stored))
        return stored

    # -- maintenance -----------------------------------------------------------------------

    def problems(self) -> list[str]:
        """Return a message for each damaged segment file or database row.

        If no file or row is damaged, compares the documents in the index with those in the
        database, and returns a message for each kind of difference.
        """
        found = [*self.database.problems(), *self.segments.problems()]
        return found or self._index_problems()

    def _index_problems(self) -> list[str]:
        """Return one message if documents are stored but not indexed, and one for the reverse."""
        with self.view() as view:
            indexed = np.unique(view.owners())
            stored = all_numbers(view.connection)
        missing = len(np.setdiff1d(stored, indexed))
        extra = len(np.setdiff1d(indexed, stored))
        found = []
        if missing:
            found.append(f"{self.directory}: {missing} documents are stored but not indexed")
        if extra:
            found.append(f"{self.directory}: {extra} documents are indexed but not stored")
        return found

    def close(self) -> None:
        """Close files and connections. See `Store.close`."""
        self._follower.reset()
        self.database.close()
