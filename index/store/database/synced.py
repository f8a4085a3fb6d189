"""The tables of synced files and their documents. The first sync of a collection creates them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....core import CorruptFileError
from .checks import damaged, differs, parse_json, row_check
from .meta import get_meta, set_meta
from .schema import SYNC_SCHEMA, create_tables

_KEY = "synced"
"""Key in `meta` of a collection with these tables."""
_COMPLETE = "synced.complete"
"""Key in `meta` of the numbers of documents after the last complete syncs."""
_TABLES = ("synced_files", "synced_documents")
_DOCUMENT = "SELECT id, file, number, live, crc FROM synced_documents"


@dataclass(frozen=True, slots=True)
class SyncedFile:
    """A file of a synced source.

    number: number that identifies the file in the rows of its documents.
    source: absolute path of the file or folder that the caller synced.
    name:   path of the file below `source`; "" if `source` is the file.
    state:  JSON values that describe the content of the file. Empty while its documents are being
            written.
    """

    number: int
    source: str
    name: str
    state: Mapping[str, Any]

    @property
    def path(self) -> Path:
        return Path(self.source, self.name)


@dataclass(frozen=True, slots=True)
class SyncedDocument:
    """A document that a sync stored.

    file:   number of the file that the document comes from.
    number: number of the stored version. Another number in the collection means that another write
            replaced the document.
    live:   False if the file no longer contains the document, which must then be deleted.
    """

    id: str
    file: int
    number: int
    live: bool = True


def create_sync_tables(connection: sqlite3.Connection) -> None:
    """Create the tables of synced files and documents, unless they exist."""
    if not has_sync_tables(connection):
        create_tables(connection, SYNC_SCHEMA)
        set_meta(connection, _KEY, "1")


def has_sync_tables(connection: sqlite3.Connection) -> bool:
    """Return True if the collection was ever synced.

    Raises CorruptFileError if it was, but the tables of synced files are missing.
    """
    found = connection.execute(
        "SELECT count(*) FROM main.sqlite_master WHERE name IN (?, ?)", _TABLES
    ).fetchone()[0]
    if found == 0 and get_meta(connection, _KEY) is not None:
        raise damaged(connection, "the record of synced files", "its tables are missing")
    return bool(found)


def check_structure(connection: sqlite3.Connection) -> None:
    """Raise CorruptFileError if SQLite finds damage that can hide rows of synced files."""
    for table in _TABLES:
        for (found,) in connection.execute(f"PRAGMA main.integrity_check('{table}')"):
            if found != "ok":
                raise damaged(connection, f"table {table}", " ".join(str(found).split()))


def read_files(connection: sqlite3.Connection) -> Iterator[SyncedFile]:
    """Yield all synced files. Raises CorruptFileError for a damaged row."""
    sql = "SELECT number, source, name, state, crc FROM synced_files"
    for *row, crc in connection.execute(sql):
        where = f"the row of synced file {_shown(row[2])!r}"
        if differs(crc, row_check(*row)):
            raise damaged(connection, where)
        number, source, name, state = row
        values = parse_json(connection, where, state)
        yield SyncedFile(number, os.fsdecode(source), os.fsdecode(name), values)


def put_file(connection: sqlite3.Connection, file: SyncedFile) -> None:
    """Insert or replace the row of a synced file."""
    source, name = os.fsencode(file.source), os.fsencode(file.name)
    row = (file.number, source, name, json.dumps(dict(file.state)))
    connection.execute(
        "INSERT OR REPLACE INTO synced_files (number, source, name, state, crc) "
        "VALUES (?, ?, ?, ?, ?)",
        (*row, row_check(*row)),
    )


def read_with_current(
    connection: sqlite3.Connection,
) -> Iterator[tuple[SyncedDocument, int | None]]:
    """Yield (document, current number) for all synced documents.

    The current number identifies the version of the document that the collection stores now. It is
    None if the document is not in the collection.

    Raises CorruptFileError for a damaged row.
    """
    for *row, crc, number in connection.execute(
        "SELECT s.id, s.file, s.number, s.live, s.crc, d.number FROM synced_documents s "
        "LEFT JOIN documents d ON d.id = s.id"
    ):
        yield _document(connection, row, crc), number


def documents_of(connection: sqlite3.Connection, file: int) -> list[SyncedDocument]:
    """Return the documents of the file number `file`. Raises CorruptFileError for a damaged row."""
    rows = connection.execute(f"{_DOCUMENT} WHERE file = ?", (file,))
    return [_document(connection, row, crc) for *row, crc in rows]


def retired_documents(connection: sqlite3.Connection) -> list[SyncedDocument]:
    """Return documents that must still be deleted: their files no longer contain them.

    Raises CorruptFileError for a damaged row.
    """
    rows = connection.execute(f"{_DOCUMENT} WHERE live = 0")
    return [_document(connection, row, crc) for *row, crc in rows]


def find_document(connection: sqlite3.Connection, id_: str) -> SyncedDocument | None:
    """Return the synced document with the id `id_`, or None if there is none.

    Raises CorruptFileError for a damaged row.
    """
    found = connection.execute(f"{_DOCUMENT} WHERE id = ?", (id_,)).fetchone()
    return None if found is None else _document(connection, found[:-1], found[-1])


def put_documents(connection: sqlite3.Connection, documents: Iterable[SyncedDocument]) -> None:
    """Insert or replace the rows of synced documents."""
    rows = ((one.id, one.file, one.number, int(one.live)) for one in documents)
    connection.executemany(
        "INSERT OR REPLACE INTO synced_documents (id, file, number, live, crc) "
        "VALUES (?, ?, ?, ?, ?)",
        ((*row, row_check(*row)) for row in rows),
    )


def remove_documents(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Remove documents from the record of synced files. The collection keeps the documents."""
    connection.executemany("DELETE FROM synced_documents WHERE id = ?", ((one,) for one in ids))


def remove_files(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Remove the rows of synced files. The rows of their documents stay."""
    connection.executemany("DELETE FROM synced_files WHERE number = ?", ((n,) for n in numbers))


def read_complete(connection: sqlite3.Connection) -> dict[str, int]:
    """Return source -> number of its documents at the end of its last complete sync.

    Raises CorruptFileError if the numbers are damaged.
    """
    where = f"the value of {_COMPLETE!r} in table meta"
    return dict(parse_json(connection, where, get_meta(connection, _COMPLETE) or "{}"))


def put_complete(connection: sqlite3.Connection, documents: Mapping[str, int]) -> None:
    """Store the numbers that `read_complete` returns. They replace all earlier ones."""
    set_meta(connection, _COMPLETE, json.dumps(dict(documents), sort_keys=True))


def count_by_source(connection: sqlite3.Connection) -> Counter[str]:
    """Return source -> number of its recorded documents."""
    rows = connection.execute(
        "SELECT f.source, count(*) FROM synced_documents d JOIN synced_files f "
        "ON f.number = d.file GROUP BY f.source"
    )
    return Counter({os.fsdecode(source): count for source, count in rows})


def sync_problems(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield a message if the record of synced files is damaged."""
    try:
        if not has_sync_tables(connection):
            return
        files = {file.number for file in read_files(connection)}
        strays = sum(one.file not in files for one, _ in read_with_current(connection))
    except CorruptFileError as error:
        yield error.problem
        return
    if strays:
        yield f"the record of synced files is damaged: it has no file for {strays} documents"


def _document(connection: sqlite3.Connection, row: Sequence[Any], crc: Any) -> SyncedDocument:
    if differs(crc, row_check(*row)):
        raise damaged(connection, f"the row of synced document {row[0]!r}")
    name, file, number, live = row
    return SyncedDocument(name, file, number, bool(live))


def _shown(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
