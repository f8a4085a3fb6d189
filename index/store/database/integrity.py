"""Checks a collection's database: the structure of the file and the checksums of its rows."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator

from ....core import CorruptFileError, StorageError
from .checks import delta_check, differs, row_check
from .meta import get_meta, get_number
from .schema import unexpected
from .segments import read_segments
from .synced import sync_problems
from .tables import (
    field_rows,
    fields_total,
    iterate_documents,
    last_number,
    stored_fields_total,
    tombstones,
)

_LOOKED_UP = ("meta", "documents", "fields", "delta", "segments", "tombstones")
"""Tables in which damage can hide a row. Every read notices a hidden row of `contents`."""
_FIELDS = "SELECT key, kind, value, number FROM fields"
_NAMED = 5


def problems(connection: sqlite3.Connection, *, deep: bool) -> Iterator[str]:
    """Yield a message for each problem of the database.

    deep: True: check every row. False: check only some tables and indexes; see `Database.problems`.
    """
    if wrong := unexpected(connection):
        yield f"is damaged: the definition of {', '.join(wrong)} in the schema was changed"
        return
    tables = ("",) if deep else tuple(f"'{table}'" for table in _LOOKED_UP)
    sound = True
    for table in tables:
        for (found,) in connection.execute(f"PRAGMA main.integrity_check({table or 20})"):
            if found != "ok":
                sound = False
                yield f"is damaged: {' '.join(str(found).split())}"
    if not sound:
        return
    yield from _small_tables(connection)
    try:
        fields_match = fields_total(connection.execute(_FIELDS)) == stored_fields_total(connection)
    except CorruptFileError as error:
        yield error.problem
        return
    if not fields_match:
        yield "is damaged: the checksum of `fields` does not match, so filters may miss documents"
    if deep:
        yield from sync_problems(connection)
        yield from _documents(connection)


def _small_tables(connection: sqlite3.Connection) -> Iterator[str]:
    for key, value, crc in connection.execute("SELECT key, value, crc FROM meta"):
        if differs(crc, row_check(key, value)):
            yield f"the value of {key!r} is damaged: its checksum does not match"
    passages = [
        row[0]
        for *row, crc in connection.execute("SELECT number, start, stop, data, crc FROM delta")
        if differs(crc, delta_check(*row))
    ]
    if passages:
        yield (
            f"the encoded form of {len(passages)} recent passages is damaged: their checksums do "
            f"not match; the first passage is of document number {passages[0]}"
        )
    try:
        dead = tombstones(connection, "1")
        segments = read_segments(connection)
        sealed = get_number(connection, "sealed")
        get_meta(connection, "config")
    except CorruptFileError as error:
        yield error.problem
        return
    highest = connection.execute("SELECT max(number) FROM documents").fetchone()[0] or 0
    given = max([highest, sealed, *dead.tolist(), *(row.last for row in segments)])
    if last_number(connection) < given:
        yield (
            f"is damaged: the recorded highest document number is {last_number(connection)}, but "
            f"{given} is in use"
        )


def _documents(connection: sqlite3.Connection) -> Iterator[str]:
    """Yield messages for damaged documents, and for documents with wrong rows in table `fields`.

    The first `_NAMED` of these documents have a message each; one more message counts the others.
    """
    stored: dict[int, int] = defaultdict(int)
    for row in connection.execute(_FIELDS):
        stored[row[3]] += row_check(*row)
    named = 0
    contents = 0
    for number, document in iterate_documents(connection):
        contents += 1
        if isinstance(document, StorageError):
            found = document.problem if isinstance(document, CorruptFileError) else str(document)
        elif stored.pop(number, 0) != fields_total(field_rows(document.metadata, number))[1]:
            found = f"the filter data of document {document.id!r} does not match its metadata"
        else:
            continue
        named += 1
        if named <= _NAMED:
            yield found
        stored.pop(number, None)
    if named > _NAMED:
        yield f"{named - _NAMED} more documents are damaged"
    if stored:
        yield f"is damaged: it has filter data of {len(stored)} documents that are not stored"
    rows = connection.execute("SELECT count(*) FROM contents").fetchone()[0]
    if rows != contents:
        yield f"is damaged: it has {contents} documents, but the contents of {rows} documents"
