"""The record of synced files in a collection: which document comes from which file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ...core import CorruptFileError, Document
from .database.synced import (
    SyncedDocument,
    SyncedFile,
    check_structure,
    count_by_source,
    create_sync_tables,
    documents_of,
    find_document,
    has_sync_tables,
    put_complete,
    put_documents,
    put_file,
    read_complete,
    read_files,
    read_with_current,
    remove_documents,
    remove_files,
    retired_documents,
)
from .database.tables import delete_documents, numbers_of, read_documents
from .local import LocalStore

_CHUNK = 500
"""Maximum number of documents that one transaction deletes."""


@dataclass(frozen=True, slots=True)
class Synced:
    """The recorded files of all sources, as they were when a sync begins.

    files:     (source, name) -> file.
    by_number: file number -> file.
    documents: file number -> how many documents come from the file.
    altered:   numbers of the files with at least one document that a write other than a sync has
               replaced or deleted.
    complete:  source -> number of its documents at the end of its last complete sync.
    """

    files: Mapping[tuple[str, str], SyncedFile] = field(default_factory=dict)
    by_number: Mapping[int, SyncedFile] = field(default_factory=dict)
    documents: Mapping[int, int] = field(default_factory=Counter)
    altered: frozenset[int] = frozenset()
    complete: Mapping[str, int] = field(default_factory=dict)


class Manifest:
    """Reads and changes the record of synced files. Only one sync may use it at a time.

    Call `load` or `create` first. A collection that was never synced has an empty record.
    """

    def __init__(self, store: LocalStore) -> None:
        self._database = store.database
        self._exists = False

    def create(self) -> None:
        """Create the tables of the record, unless they exist."""
        with self._database.read() as connection:
            self._exists = has_sync_tables(connection)
        if not self._exists:
            with self._database.write() as connection:
                create_sync_tables(connection)
            self._exists = True

    def load(self) -> Synced:
        """Read and check the whole record. Raises CorruptFileError if a row is damaged."""
        with self._database.read() as connection:
            self._exists = has_sync_tables(connection)
            if not self._exists:
                return Synced()
            check_structure(connection)
            files = list(read_files(connection))
            complete = read_complete(connection)
            documents: Counter[int] = Counter()
            altered = set()
            for one, number in read_with_current(connection):
                documents[one.file] += 1
                if one.live and one.number != number:
                    altered.add(one.file)
        return Synced(
            {(one.source, one.name): one for one in files},
            {one.number: one for one in files},
            documents,
            frozenset(altered),
            complete,
        )

    def find(self, id_: str) -> SyncedDocument | None:
        """Return the synced document with the id `id_`, or None if there is none."""
        with self._database.read() as connection:
            return find_document(connection, id_) if self._exists else None

    def documents_of(self, file: int) -> list[SyncedDocument]:
        """Return the documents of the file with this number."""
        with self._database.read() as connection:
            return documents_of(connection, file) if self._exists else []

    def retired(self) -> list[SyncedDocument]:
        """Return documents that must still be deleted: their files no longer contain them."""
        with self._database.read() as connection:
            return retired_documents(connection) if self._exists else []

    def count_stored(self, ids: Sequence[str]) -> int:
        """Return how many of these ids belong to documents in the collection."""
        with self._database.read() as connection:
            return len(numbers_of(connection, ids))

    def stored(self, id_: str) -> Document | None:
        """Return the document with the id `id_` from the collection.

        None: there is no such document, or it is damaged.
        """
        with self._database.read() as connection:
            try:
                numbers = list(numbers_of(connection, [id_]).values())
                return next(iter(read_documents(connection, numbers).values()), None)
            except CorruptFileError:
                return None

    def write(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Call `change` with the connection of a new write transaction, then commit it."""
        with self._database.write() as connection:
            change(connection)

    def delete(self, documents: Collection[SyncedDocument], files: Collection[int]) -> int:
        """Delete documents from the collection, and then files from the record.

        files: numbers of the files.

        Returns the number of deleted documents. If another write has replaced a document since the
        sync stored it, the document is not deleted. The call uses several small transactions. If it
        is interrupted, it may be repeated.
        """
        waiting = list(documents)
        deleted = 0
        for start in range(0, len(waiting), _CHUNK):
            chunk = {one.id: one.number for one in waiting[start : start + _CHUNK]}
            with self._database.write() as connection:
                stored = numbers_of(connection, list(chunk))
                own = [number for id_, number in stored.items() if chunk[id_] == number]
                delete_documents(connection, own)
                remove_documents(connection, list(chunk))
            deleted += len(own)
        if files:
            with self._database.write() as connection:
                remove_files(connection, files)
        return deleted

    def complete(self, sources: Collection[str]) -> None:
        """Record how many documents these sources have now, at the end of a complete sync."""
        with self._database.read() as connection:
            before = read_complete(connection)
            found = count_by_source(connection)
        self._put_complete(before, {source: found[source] for source in sources})

    def keep_complete(self, documents: Mapping[str, int]) -> None:
        """Record numbers of documents for the sources that have no complete sync on record.

        documents: source -> number of documents when the sync began.
        """
        with self._database.read() as connection:
            before = read_complete(connection)
        self._put_complete(before, {**documents, **before})

    def _put_complete(self, before: Mapping[str, int], changes: Mapping[str, int]) -> None:
        wanted = {source: count for source, count in {**before, **changes}.items() if count}
        if wanted != before:
            with self._database.write() as connection:
                put_complete(connection, wanted)


def record_documents(
    connection: sqlite3.Connection, owners: Mapping[str, int], numbers: Mapping[str, int]
) -> None:
    """Record from which files documents come, in the transaction that stores the documents.

    owners: document id -> file number.
    numbers: document id -> number of the stored version, for documents that an earlier transaction
        has stored. The function looks up all other numbers.
    """
    found = numbers_of(connection, [id_ for id_ in owners if id_ not in numbers])
    put_documents(
        connection,
        # A document that another write deleted gets 0, so that the next sync writes it again.
        (
            SyncedDocument(id_, file, numbers.get(id_, found.get(id_, 0)))
            for id_, file in owners.items()
        ),
    )


__all__ = [
    "Manifest",
    "Synced",
    "SyncedDocument",
    "SyncedFile",
    "put_documents",
    "put_file",
    "record_documents",
]
