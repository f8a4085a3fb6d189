"""Erases documents with all their versions, and searches the files of the collection for them.

The steps: delete the rows; write again each segment that still has passages of deleted documents;
write the database again without free pages (VACUUM) and empty its write-ahead log; read every file
of the folder. Each step can be repeated, so a purge that was interrupted is run again.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from ...core import ConflictError, Document, PurgeProof
from ...core.filters import Condition, check_selective, meets
from ..arrays.files import exclusive
from ..store.backup.manifest import collection_of, label
from ..store.backup.target import Target
from ..store.database import history
from ..store.database.database import FILE_NAME
from ..store.database.meta import get_number
from ..store.database.segments import read_segments
from ..store.database.synced import has_sync_tables, remove_documents
from ..store.database.tables import delete_documents, ids_of, numbers_of, read_documents
from ..store.filters.selection import select
from ..store.folder import LOCK
from ..store.local import LocalStore
from ..store.maintenance import DEFAULT_MEMORY, kept_rows, merge_run
from ..store_protocol import Store, require
from .pieces import Pieces

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_WAIT = 30.0
"""Seconds to wait for readers of the write-ahead log."""


def purge(
    store: Store,
    ids: Sequence[str] | None,
    where: Condition | None,
    targets: Sequence[Target] = (),
) -> PurgeProof:
    """Erase documents with all their versions. Return what was erased and what a search found.

    ids:     ids of the documents; None: the documents of which any version meets `where`.
    targets: places of snapshots, which are searched for the documents. They are not changed.

    Raises ConflictError if another process keeps reading the write-ahead log: the documents are
    then deleted, and a repeated call erases them. Raises InvalidInputError if `where` could meet
    every document.
    """
    require(store, "maintenance")
    assert isinstance(store, LocalStore), "only a LocalStore supports maintenance"
    if where is not None:
        check_selective(where)
    with exclusive(store.directory / LOCK, wait=True):
        pieces = Pieces()
        with store.database.write() as connection:
            before = get_number(connection, "generation")
            names = _named(connection, where) if ids is None else list(dict.fromkeys(ids))
            found = _delete(connection, names, pieces)
        rewritten = _rewrite_segments(store)
        _compact(store)
        with store.database.read() as connection:
            after = get_number(connection, "generation")
            files, size, hits, shared = pieces.search(store.directory, connection)
        erased = [name for name, count in found.items() if count]
        return PurgeProof(
            documents=len(erased),
            versions=sum(found.values()),
            not_found=[name for name in names if not found[name]],
            before=before,
            after=after,
            rewritten=rewritten,
            files=files,
            bytes=size,
            pieces=len(pieces.texts),
            shared=shared,
            found=hits,
            snapshots=_holding(store, names, targets),
        )


def _named(connection: sqlite3.Connection, where: Condition | None) -> list[str]:
    """Return the ids of the documents of which the current or a kept version meets `where`."""
    assert where is not None, "ids or a condition"
    current = ids_of(connection, select(connection, where).tolist()).values()
    names = dict.fromkeys(current)
    if history.is_kept(connection):
        past = history.versions(connection, "1")
        names |= dict.fromkeys(one.document.id for one in past if meets(one.document, where))
    return list(names)


def _delete(connection: sqlite3.Connection, names: Sequence[str], pieces: Pieces) -> dict[str, int]:
    """Delete the rows of documents and of their versions. Return id -> number of its versions."""
    current = numbers_of(connection, names)
    kept = history.is_kept(connection)
    found: dict[str, int] = {}
    for name in names:
        documents: list[Document] = []
        numbers: list[int] = []
        if kept:
            for past in history.versions(connection, "id = ?", name):
                documents.append(past.document)
                numbers.append(past.number)
        if name in current:
            documents += read_documents(connection, [current[name]]).values()
            delete_documents(connection, [current[name]])
            numbers.append(current[name])
        if kept:
            connection.execute("DELETE FROM versions WHERE id = ?", (name,))
        connection.executemany("DELETE FROM delta WHERE number = ?", ((n,) for n in numbers))
        pieces.add(documents)
        found[name] = len(documents)
    if has_sync_tables(connection):
        remove_documents(connection, names)
    return found


def _rewrite_segments(store: LocalStore) -> list[str]:
    """Write the segments again that have passages of deleted documents. Return their names."""
    rewritten: list[str] = []
    position = 0
    while True:
        with store.view() as view:
            rows = read_segments(view.connection)
            masks = kept_rows(view)[: len(rows)]
        while position < len(rows) and masks[position] is None:
            position += 1
        if position == len(rows):
            return rewritten
        rewritten.append(rows[position].id)
        empty = not np.any(masks[position])
        merge_run(store, position, position + 1, DEFAULT_MEMORY, None)
        position += 0 if empty else 1


def _compact(store: LocalStore) -> None:
    """Write the database again without free pages, and empty its write-ahead log."""
    log = store.directory / f"{FILE_NAME}-wal"
    until = time.monotonic() + _WAIT
    while True:
        with store.database.apart() as connection:
            connection.execute("PRAGMA busy_timeout=1000")
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in (
                    sqlite3.SQLITE_BUSY,
                    sqlite3.SQLITE_LOCKED,
                ):
                    raise
        if not log.exists() or log.stat().st_size == 0:
            return
        if time.monotonic() > until:
            raise ConflictError(
                f"{store.directory}: the documents are deleted, but other processes still read the "
                "write-ahead log, which may contain them; purge them again later"
            )
        time.sleep(0.05)


def _holding(store: LocalStore, names: Sequence[str], targets: Sequence[Target]) -> list[str]:
    """Return the names of the snapshots of this collection that hold one of the documents."""
    found = []
    for target in targets:
        for snapshot in sorted(target.names()):
            if collection_of(snapshot) != label(store.directory.name):
                continue
            with _database_of(target, snapshot) as connection:
                if _holds(connection, names):
                    found.append(snapshot)
    return found


@contextmanager
def _database_of(target: Target, snapshot: str) -> Iterator[sqlite3.Connection]:
    """Open a copy of the database of a snapshot."""
    with tempfile.TemporaryDirectory(prefix="twindex-purge-") as folder:
        path = Path(folder) / FILE_NAME
        with target.open(snapshot, FILE_NAME) as source, path.open("wb") as copy:
            while block := source.read(1 << 20):
                copy.write(block)
        address = f"{path.as_uri()}?immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as connection:
            yield connection


def _holds(connection: sqlite3.Connection, names: Sequence[str]) -> bool:
    tables = ["documents"]
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'versions'").fetchone():
        tables.append("versions")
    sql = "SELECT EXISTS (SELECT 1 FROM {} WHERE id IN (SELECT value FROM json_each(?)))"
    listed = json.dumps(list(names))
    return any(connection.execute(sql.format(t), (listed,)).fetchone()[0] for t in tables)
