"""Writes a snapshot of a collection that is in use: the state of one commit.

A read transaction fixes the state. The files of the segments are opened in it: a merge may remove
them meanwhile, but the system keeps the contents of an open file. The database is copied by
SQLite's online backup, which reads the same transaction. Writers never wait.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ....core import CorruptFileError, NoProgress, Progress, StorageError
from ...arrays.files import FileState
from ..database.database import FILE_NAME, get_number
from ..database.segments import read_segments
from ..local import LocalStore
from .copying import Pace, Sums, blocks_in, blocks_of
from .manifest import SnapshotFile, SnapshotInfo, by_age, collection_of, dump, label, new_name
from .target import Target, Writer

_ATTEMPTS = 20
_PAGES = 256
"""Pages of the database that are copied in one step: 1 MiB."""


def write_snapshot(
    store: LocalStore,
    target: Target,
    *,
    keep: int | None = None,
    rate: int | None = None,
    progress: Progress | None = None,
) -> SnapshotInfo:
    """Write a snapshot of the collection to `target`, while it is searched and written.

    keep: number of the newest snapshots of this collection to keep; older ones are removed once the
        new one is complete. None: all.
    rate: maximum bytes per second; None: no limit.

    Returns the complete snapshot. Raises CorruptFileError for a damaged file of the collection,
    and StorageError if the target cannot be written. There is no new snapshot then.
    """
    progress = progress or NoProgress()
    collection = store.directory.resolve().name
    name = new_name(collection, target.names())
    created = time.time()
    with ExitStack() as stack:
        writer = stack.enter_context(target.writer(name))
        state = stack.enter_context(ExitStack())
        connection, opened = _open_state(store, state, stack)
        generation = get_number(connection, "generation")
        documents = connection.execute("SELECT count(*) FROM documents").fetchone()[0]
        # Pages of the write-ahead log are copied too, so the size of the file is not enough.
        pages, page = (_pragma(connection, name) for name in ("page_count", "page_size"))
        total = pages * page + sum(expected.size for _, expected in opened.values())
        progress.start("snapshot", total, "bytes")
        pace = Pace(rate, progress)
        with writer.local(FILE_NAME) as path:
            _copy_database(connection, path, pace)
            state.close()  # A long transaction would make the write-ahead log grow.
            files = {FILE_NAME: _state_of(path)}
        for file, (descriptor, expected) in opened.items():
            files[f"segments/{file}"] = _copy(store, writer, file, descriptor, expected, pace)
        pace.report()
        info = SnapshotInfo(name, collection, created, generation, documents, files)
        writer.commit(dump(info))
    if keep is not None:
        remove_old(target, collection, keep)
    return info


def remove_old(target: Target, collection: str, keep: int) -> list[str]:
    """Remove all snapshots of a collection except the newest `keep`. Return the removed names."""
    own = [name for name in target.names() if collection_of(name) == label(collection)]
    removed = by_age(own)[: max(0, len(own) - keep)]
    for name in removed:
        target.remove(name)
    return removed


def _open_state(
    store: LocalStore, state: ExitStack, files: ExitStack
) -> tuple[sqlite3.Connection, dict[str, tuple[int, FileState]]]:
    """Begin a read transaction and open the files of all segments in it.

    state: closes the transaction.
    files: closes the files.

    Returns a connection, and path of each file in `segments` -> (descriptor, recorded state).
    """
    for attempt in range(_ATTEMPTS):
        with ExitStack() as trial, ExitStack() as transaction:
            connection = transaction.enter_context(store.database.read())
            opened: dict[str, tuple[int, FileState]] = {}
            try:
                for row in read_segments(connection):
                    for name, expected in row.files.items():
                        path = store.segments.path(row.id) / name
                        descriptor = trial.enter_context(_descriptor(path))
                        opened[f"{row.id}/{name}"] = descriptor, expected
            except FileNotFoundError as error:
                # A merge may have removed the file after the transaction began.
                if attempt == _ATTEMPTS - 1:
                    raise CorruptFileError(Path(error.filename), "is missing") from None
                continue
            except OSError as error:
                raise StorageError(
                    f"{error.filename}: cannot be read ({error.strerror}); check its permissions "
                    "and the limit of open files (ulimit -n)"
                ) from error
            state.push(transaction.pop_all())
            files.push(trial.pop_all())
            return connection, opened
    raise AssertionError("the loop returns or raises")


@contextmanager
def _descriptor(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _copy_database(source: sqlite3.Connection, path: Path, pace: Pace) -> None:
    """Copy the state that `source` reads to a new database without jobs and stored replies.

    A restored collection must not run the jobs of the original again.
    """
    copied = 0
    page = _pragma(source, "page_size")

    def report(_: int, remaining: int, total: int) -> None:
        nonlocal copied
        done = (total - remaining) * page
        pace.advance(done - copied)
        copied = done

    with closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # The file is synced as a whole.
        source.backup(copy, pages=_PAGES, progress=report)
        copy.execute("BEGIN")
        for table in ("jobs", "replies", "job_owners"):
            if copy.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                copy.execute(f"DELETE FROM {table}")
        copy.execute("COMMIT")


def _state_of(path: Path) -> SnapshotFile:
    sums = Sums()
    with path.open("rb", buffering=0) as file:
        for block in blocks_in(file):
            sums.add(block)
    return sums.file


def _copy(
    store: LocalStore, writer: Writer, name: str, descriptor: int, expected: FileState, pace: Pace
) -> SnapshotFile:
    """Copy a file of a segment. Raises CorruptFileError if it differs from its recorded state."""
    sums = Sums()
    with writer.file(f"segments/{name}") as file:
        for block in blocks_of(descriptor):
            sums.add(block)
            file.write(block)
            pace.advance(len(block))
    if sums.state != expected:
        raise CorruptFileError(
            store.segments.path(name), "has changed: its checksum is not the recorded one"
        )
    return sums.file
